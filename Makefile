# Every target runs the same for people and in CI. `make help` lists them.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty --abbrev=12 2>/dev/null || echo dev)
COMMIT  ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
# The whole commit, and its time: what the image says of itself, and of when its files are.
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null)$(if $(findstring -dirty,$(VERSION)),-dirty)
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)
# The real-cluster scenarios wait for real minutes: they run side by side, whatever the number of cores.
PARALLEL ?= 32
# The promise is 20 minutes for everything; no package may take longer.
TEST_TIMEOUT ?= 20m
RUN ?= .
IMAGE ?= rollcall.dev/rollcall
# The chart asks for the image of its own appVersion.
TAG ?= $(shell sed -n 's/^appVersion: *"\(.*\)"/\1/p' charts/rollcall/Chart.yaml)
PLATFORMS ?= linux/amd64,linux/arm64
OUT ?= dist
NODE_ARCH := $(shell go env GOARCH)
NODE_IMAGE := dist/node/rollcall-$(TAG)-linux-$(NODE_ARCH).tar
NODE_IMAGE_MADE = $(MAKE) --no-print-directory image PLATFORMS=linux/$(NODE_ARCH) OUT=dist/node >/dev/null
# The types of CronAudit, and where what is generated from them goes.
API := internal/record/v1alpha1
CRDS ?= charts/rollcall/files/crds
DEEPCOPIES ?= $(API)

# The exam: which line of Argo's releases, for how long, and what happens in it.
ARGO ?= 3.7
MINUTES ?= 30
SEED ?= 0
# How many firings the worlds of the simulated exam have together.
FIRINGS ?= 1000000

.PHONY: help build image chart demo cluster cluster-down exam exam-sim exam-by-hand exam-model test test-exam test-unit test-e2e test-node node-packages lint generate fmt bench fuzz binaries clean clean-cache

help: ## List the targets.
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## Build bin/rollcall.
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/rollcall ./cmd/rollcall

image: ## Build the container image IMAGE:TAG for PLATFORMS into dist/, with an SBOM beside it.
	@SOURCE_DATE_EPOCH='$(SOURCE_DATE_EPOCH)' go run ./image/build -image '$(IMAGE)' -tag '$(TAG)' -platforms '$(PLATFORMS)' -out '$(OUT)' \
	  -revision '$(REVISION)' -ldflags '$(LDFLAGS)'

chart: ## Package the Helm chart into dist/.
	@helm=$$(go run ./test/binaries/build helm | awk '{print $$2}'); mkdir -p dist; "$$helm" package charts/rollcall --destination dist

demo: build ## Lose three firings on a real cluster and bring them back. KEEP=1 leaves the cluster up.
	@go run ./test/demo -rollcall bin/rollcall $(if $(KEEP),-keep)

cluster: ## A cluster with a node, Argo's controller and Rollcall's image, left running. Needs root and node-packages.
	@$(NODE_IMAGE_MADE)
	@go run ./test/node/up start -image $(NODE_IMAGE)

cluster-down: ## End that cluster.
	@go run ./test/node/up stop

exam: build ## Break everything for MINUTES (30) and compare what Rollcall says with what happened. ARGO=3.6|3.7|4.0, SEED=n replays.
	@go run ./test/exam/real/run -argo '$(ARGO)' -minutes '$(MINUTES)' -seed '$(SEED)' -rollcall bin/rollcall

exam-sim: ## Make up worlds until they have FIRINGS (1000000) firings, in simulated time, and look for mistakes. SEED=n repeats them.
	go test -tags exam ./test/exam/sim -timeout 4h -run TestNoFiringIsLost -v -seed '$(SEED)' -firings '$(FIRINGS)'

exam-by-hand: ## The same with people in it who bring runs back with the command line, while everything breaks.
	go test -tags exam ./test/exam/sim -timeout 4h -run TestRecoveriesByHand -v -seed '$(SEED)' -firings '$(FIRINGS)'

exam-model: binaries ## Play the scenarios that the model of Argo has in common with a real controller, on both (6 minutes).
	go test -tags exam ./test/exam/model -timeout 15m -v

test-exam: binaries ## Hold the exams as CI does: 150,000 simulated firings, the model against real controllers, eight minutes of the real thing (16 minutes).
	go test -tags exam ./test/exam/sim -timeout 30m -v -run TestNoFiringIsLost
	go test -tags exam ./test/exam/sim -timeout 30m -v -run TestRecoveriesByHand -firings 50000
	go test -tags exam ./test/exam/model -timeout 15m -v
	go test -tags exam ./test/exam/real -timeout 20m -v -run TestShortExam -seed 7

test: binaries ## Run every test, those on a real API server and a real Argo controller included.
	go test -timeout $(TEST_TIMEOUT) -parallel $(PARALLEL) -run '$(RUN)' ./...

test-unit: ## Run the tests that need no cluster: seconds, not minutes.
	go test ./schedule/... ./auditor/... ./backfill/... ./internal/... ./cmd/... ./image ./test/exam/witness

test-e2e: binaries ## Run only the scenarios on the real cluster.
	go test -timeout $(TEST_TIMEOUT) -parallel $(PARALLEL) -run '$(RUN)' -v ./test/...

test-node: build ## Run the tests that need a node: the chart, installed. Needs root and node-packages.
	@$(NODE_IMAGE_MADE)
	go test -tags node -timeout 40m -run '$(RUN)' -v ./test/isolate ./test/alerts ./test/install

node-packages: ## Install what a node needs of Debian's packages. Needs root.
	@test/node/install-packages $$(go run ./test/node/up packages)

lint: ## Run the pinned linter, with the import and time rules of the house, and see that what is generated is up to date.
	@lint=$$(go run ./test/binaries/build golangci-lint | awk '{print $$2}'); "$$lint" run ./...
	@fresh=$$(mktemp -d); trap 'rm -rf "$$fresh"' EXIT; $(MAKE) --no-print-directory generate CRDS="$$fresh/crds" DEEPCOPIES="$$fresh/api"; \
	  diff -ru charts/rollcall/files/crds "$$fresh/crds" && diff -u $(API)/zz_generated.deepcopy.go "$$fresh/api/zz_generated.deepcopy.go" \
	  || { echo 'What is generated from $(API) is out of date: run "make generate" and commit.' >&2; exit 1; }
	go mod verify >/dev/null
	go mod tidy -diff

generate: ## Generate the CronAudit CRD and the deep copies of its types.
	@gen=$$(go run ./test/binaries/build controller-gen | awk '{print $$2}'); \
	  "$$gen" object crd paths=./$(API) output:object:dir="$(DEEPCOPIES)" output:crd:dir="$(CRDS)"

fmt: ## Format the Go code.
	@lint=$$(go run ./test/binaries/build golangci-lint | awk '{print $$2}'); "$$lint" fmt ./...

bench: ## Run the benchmarks.
	go test -run '^$$' -bench . -benchmem ./schedule/... ./auditor/... ./backfill/... ./internal/...

# Inputs that are interesting are made smaller for no more than a second: by default that takes most of the time.
fuzz: ## Fuzz each fuzz test for FUZZTIME (default 30s), FUZZPARALLEL at once (default: one for each core); RUN is a pattern of their names.
	@failed=; for p in $$(go list ./schedule/... ./auditor/... ./backfill/... ./internal/... ./cmd/...); do \
	  for f in $$(go test -list '^Fuzz.*$(RUN)' $$p | grep '^Fuzz' || true); do \
	    echo "$$p $$f"; \
	    go test -run '^$$' -fuzz "^$$f$$" -fuzztime $${FUZZTIME:-30s} -fuzzminimizetime 1s $${FUZZPARALLEL:+-parallel $$FUZZPARALLEL} $$p || failed="$$failed $$f"; done; done; \
	  test -z "$$failed" || { echo "failed:$$failed"; exit 1; }

binaries: ## Build etcd, kube-apiserver, kubectl, Argo's controllers and Helm into the cache (minutes, once per version).
	@go run ./test/binaries/build >/dev/null

clean: ## Remove what was built here.
	rm -rf bin dist

clean-cache: ## Remove the cached cluster binaries of every version.
	rm -rf "$${ROLLCALL_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/rollcall}"
