package access

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	authorization "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	client "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"
)

// Options say what a Checker asks for. Config, ArgoNamespace, Log and Report are required.
type Options struct {
	// Config is the way to the API server. It is not changed, and its limits do not count here.
	Config *rest.Config
	// Version is Rollcall's own, for the user agent; empty means "dev".
	Version string
	// Namespaces are those that are watched; empty for all.
	Namespaces []string
	// ArgoNamespace is where Argo's controller keeps its lease and settings, InstanceID that of the controller.
	ArgoNamespace, InstanceID string
	// ElectionNamespace and ElectionName are of the Lease of leader election; empty where there is none.
	ElectionNamespace, ElectionName string
	// Recovers says whether firings are recovered: only then the permissions for it are asked about.
	Recovers bool
	Log      *slog.Logger
	// Report is told for each verb and resource (such as cronaudits/status) whether it is denied anywhere that it is needed.
	Report func(verb, resource string, denied bool)
}

const (
	// every is how often all is asked again, and soon when that was not possible because the API server did not answer.
	every = 10 * time.Minute
	soon  = time.Minute
	// perSecond is how many questions are asked at the most, after a first burst.
	perSecond = 5
	burst     = 25
	// answerIn is how long an answer may take.
	answerIn = 10 * time.Second
)

// reviews asks one question.
type reviews interface {
	Create(context.Context, *authorization.SelfSubjectAccessReview, metav1.CreateOptions) (*authorization.SelfSubjectAccessReview, error)
}

// Checker asks the API server again and again what is permitted.
type Checker struct {
	options   Options
	questions []question
	reviews   reviews
	// denied are the answers there are.
	denied map[question]bool
	// unable says that it was said that the API server does not answer such questions.
	unable bool
}

// New makes a Checker. No request is made.
func New(options Options) (*Checker, error) {
	switch {
	case options.Config == nil:
		return nil, errors.New("access: Options.Config is missing")
	case options.ArgoNamespace == "":
		return nil, errors.New("access: Options.ArgoNamespace is missing")
	case (options.ElectionNamespace == "") != (options.ElectionName == ""):
		return nil, errors.New("access: of Options.ElectionNamespace and ElectionName one is missing")
	case options.Log == nil:
		return nil, errors.New("access: Options.Log is missing")
	case options.Report == nil:
		return nil, errors.New("access: Options.Report is missing")
	}
	if options.Version == "" {
		options.Version = "dev"
	}
	cfg := rest.CopyConfig(options.Config)
	cfg.UserAgent = "rollcall/" + options.Version
	cfg.QPS, cfg.Burst, cfg.RateLimiter = perSecond, burst, nil
	c, err := client.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("connect to the API server: %w", err)
	}
	return newChecker(options, c.SelfSubjectAccessReviews()), nil
}

func newChecker(options Options, r reviews) *Checker {
	return &Checker{options: options, questions: options.questions(), reviews: r, denied: map[question]bool{}}
}

// Run asks at once and every 10 minutes, until ctx ends. What is missing is logged once, and once more when it is back.
func (c *Checker) Run(ctx context.Context) {
	for ctx.Err() == nil {
		next := every
		if !c.round(ctx) {
			next = soon
		}
		timer := time.NewTimer(next)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// round asks all there is to ask; false when the API server did not answer.
func (c *Checker) round(ctx context.Context) bool {
	answers := map[question]bool{}
	complete := true
	for _, q := range c.questions {
		denied, err := c.ask(ctx, q)
		switch {
		case ctx.Err() != nil:
			return false
		case err == nil:
			answers[q] = denied
			continue
		case !impossible(err):
			// Whoever needs the API server says that it does not answer.
			c.options.Log.Debug("permissions not checked", "error", err.Error())
			complete = false
		case !c.unable:
			c.unable = true
			c.options.Log.Warn("The API server does not say what Rollcall is permitted to do (SelfSubjectAccessReview): what is missing shows only when it is needed.", "error", err.Error())
		}
		break
	}
	if len(answers) > 0 {
		c.unable = false
	}
	c.tell(answers)
	return complete
}

func (c *Checker) ask(ctx context.Context, q question) (denied bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerIn)
	defer cancel()
	review := &authorization.SelfSubjectAccessReview{Spec: authorization.SelfSubjectAccessReviewSpec{ResourceAttributes: c.options.attributes(q)}}
	answer, err := c.reviews.Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, err
	}
	return !answer.Status.Allowed, nil
}

// impossible says whether the API server will not answer such a question next time either.
func impossible(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) || apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err)
}

// tell says what is new in the answers.
func (c *Checker) tell(answers map[question]bool) {
	type change struct{ lost, back []string }
	type counted struct{ verb, resource string }
	permissions := Permissions()
	changes := map[int]*change{}
	for _, q := range c.questions {
		denied, answered := answers[q]
		if !answered || denied == c.denied[q] {
			continue
		}
		if changes[q.permission] == nil {
			changes[q.permission] = &change{}
		}
		if ch := changes[q.permission]; denied {
			ch.lost = append(ch.lost, q.namespace)
		} else {
			ch.back = append(ch.back, q.namespace)
		}
	}
	for q, denied := range answers {
		c.denied[q] = denied
	}
	for i, p := range permissions {
		if ch := changes[i]; ch != nil {
			c.log(p, ch.lost, ch.back)
		}
	}

	totals := map[counted]bool{}
	var order []counted
	for _, q := range c.questions {
		p := permissions[q.permission]
		denied, answered := c.denied[q]
		if !answered || c.options.optional(p) {
			continue
		}
		k := counted{p.Verb, p.resource()}
		if !slices.Contains(order, k) {
			order = append(order, k)
		}
		totals[k] = totals[k] || denied
	}
	for _, k := range order {
		c.options.Report(k.verb, k.resource, totals[k])
	}
}

func (c *Checker) log(p Permission, lost, back []string) {
	log := c.options.Log.With("verb", p.Verb, "resource", p.resource())
	if len(lost) > 0 {
		level := slog.LevelWarn
		if c.options.optional(p) {
			level = slog.LevelInfo
		}
		log.Log(context.Background(), level, fmt.Sprintf("Rollcall is not permitted to %s %s, which it needs to %s. %s", c.options.what(p), p.in(lost), p.For, p.Without))
	}
	if len(back) > 0 {
		log.Info(fmt.Sprintf("Rollcall is now permitted to %s %s.", c.options.what(p), p.in(back)))
	}
}
