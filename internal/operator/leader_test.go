package operator

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// contender is a process that wants to lead.
type contender struct {
	*leaseClient
	ended chan struct{}
	stop  context.CancelFunc
	// linger is how long lead goes on after its context has ended.
	linger time.Duration

	guard   sync.Mutex
	log     bytes.Buffer
	leads   int // how often lead was called
	inside  int // how many calls of it have not returned
	twice   bool
	leading []bool
	// atReturn is who held the Lease when lead returned.
	atReturn []string
}

func (p *contender) Write(b []byte) (int, error) {
	p.guard.Lock()
	defer p.guard.Unlock()
	return p.log.Write(b)
}

func (p *contender) count(part string) int {
	p.guard.Lock()
	defer p.guard.Unlock()
	return strings.Count(p.log.String(), part)
}

func (p *contender) leadsNow() bool {
	p.guard.Lock()
	defer p.guard.Unlock()
	return p.inside > 0
}

// ledSoFar is how often it was called, and whether it was before a former call had returned.
func (p *contender) ledSoFar() (leads int, twice bool) {
	p.guard.Lock()
	defer p.guard.Unlock()
	return p.leads, p.twice
}

func (p *contender) lead(ctx context.Context) {
	p.guard.Lock()
	p.leads++
	p.inside++
	p.twice = p.twice || p.inside > 1
	p.guard.Unlock()
	<-ctx.Done()
	time.Sleep(p.linger)
	p.guard.Lock()
	defer p.guard.Unlock()
	p.inside--
	p.atReturn = append(p.atReturn, p.server.holder())
}

func start(t *testing.T, server *leaseServer, identity string, linger time.Duration, before ...func(*contender)) *contender {
	ctx, stop := context.WithCancel(t.Context())
	p := &contender{leaseClient: &leaseClient{server: server}, ended: make(chan struct{}), stop: stop, linger: linger}
	for _, given := range before {
		given(p)
	}
	e := newElection(ElectOptions{
		Namespace: "rollcall", Name: "rollcall", Identity: identity, Log: slog.New(slog.NewTextHandler(p, nil)),
		Leading: func(leading bool) {
			p.guard.Lock()
			defer p.guard.Unlock()
			p.leading = append(p.leading, leading)
		},
	}, p.leaseClient)
	go func() {
		defer close(p.ended)
		e.Run(ctx, p.lead)
	}()
	return p
}

// after lets time pass, and what is then due happen.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestTheLeaseIsHeldUntilWhatWasBegunHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &leaseServer{}
		p := start(t, server, "one", 8*time.Second)
		after(time.Minute)
		if !p.leadsNow() || !strings.HasPrefix(server.holder(), "one_") {
			t.Fatalf("it does not lead; the Lease is held by %q", server.holder())
		}
		p.stop()
		after(7 * time.Second)
		if !p.leadsNow() || !strings.HasPrefix(server.holder(), "one_") {
			t.Errorf("the Lease is held by %q while what was begun goes on", server.holder())
		}
		after(time.Second)
		<-p.ended
		if server.holder() != "" || len(p.atReturn) != 1 || !strings.HasPrefix(p.atReturn[0], "one_") {
			t.Errorf("the Lease is held by %q, and was by %q", server.holder(), p.atReturn)
		}
		if want := []bool{true, false}; !slices.Equal(p.leading, want) {
			t.Errorf("said %v", p.leading)
		}
	})
}

func TestAnotherProcessTakesOverAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &leaseServer{}
		one := start(t, server, "one", 0)
		after(time.Second)
		two := start(t, server, "two", 0)
		after(time.Hour)
		if !one.leadsNow() || two.leadsNow() {
			t.Fatal("the second one leads")
		}
		if two.count("another process leads") != 1 {
			t.Error("the second one does not say once who leads")
		}
		one.stop()
		after(5 * time.Second)
		if !two.leadsNow() {
			t.Error("the second one does not lead 5 s after the first one has ended")
		}
		two.stop()
		<-two.ended
	})
}

func TestAnIdentityOfAnEarlierProcessIsNotItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &leaseServer{}
		first := start(t, server, "one", 0)
		after(time.Minute)
		first.fail(errors.New("gone")) // as if it had been killed: nothing is let go of
		first.stop()
		<-first.ended
		second := start(t, server, "one", 0)
		after(5 * time.Second)
		if second.leadsNow() {
			t.Error("it leads before the Lease has run out")
		}
		after(15 * time.Second)
		if !second.leadsNow() {
			t.Error("it does not lead after the Lease has run out")
		}
		second.stop()
		<-second.ended
	})
}

func TestLosingTheLeaseEndsTheTermBeforeAnotherOneBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &leaseServer{}
		one := start(t, server, "one", time.Second)
		after(time.Minute)
		two := start(t, server, "two", 0)
		after(time.Minute)
		one.fail(errors.New("connection refused"))
		for range 30 {
			after(time.Second)
			if one.leadsNow() && two.leadsNow() {
				t.Fatal("both lead")
			}
		}
		if one.leadsNow() || !two.leadsNow() {
			t.Fatalf("leading: %v and %v", one.leadsNow(), two.leadsNow())
		}
		if n := one.count("level=ERROR"); n != 1 {
			t.Errorf("%d lines on an outage", n)
		}
		one.fail(nil)
		after(time.Minute)
		two.stop()
		<-two.ended
		after(5 * time.Second)
		if leads, twice := one.ledSoFar(); !one.leadsNow() || leads != 2 || twice {
			t.Errorf("led %d times, twice at once: %v", leads, twice)
		}
		one.stop()
		<-one.ended
	})
}

func TestWhoSeesThatAnotherHasTheLeaseLeadsNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &leaseServer{}
		one := start(t, server, "one", 0)
		after(time.Minute)
		server.mu.Lock() // as it is when one goes on that was stopped for a while
		other, now := "two", metav1.NowMicro()
		server.version++
		server.lease = server.lease.DeepCopy()
		server.lease.ResourceVersion = strconv.Itoa(server.version)
		server.lease.Spec.HolderIdentity, server.lease.Spec.AcquireTime, server.lease.Spec.RenewTime = &other, &now, &now
		server.mu.Unlock()
		after(2 * tryEvery)
		if one.leadsNow() {
			t.Error("it leads on")
		}
		one.stop()
		<-one.ended
	})
}

func TestATermThatEndsSlowlyIsNotFollowedByAnotherBeforeItHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, &leaseServer{}, "one", time.Minute)
		after(time.Minute)
		p.fail(errors.New("connection refused"))
		after(13 * time.Second)
		p.fail(nil)
		after(50 * time.Second)
		if leads, _ := p.ledSoFar(); leads != 1 {
			t.Fatalf("led %d times while the first had not ended", leads)
		}
		after(30 * time.Second)
		if leads, twice := p.ledSoFar(); leads != 2 || twice {
			t.Errorf("led %d times, twice at once: %v", leads, twice)
		}
		p.stop()
		<-p.ended
	})
}

func TestWhatIsForbiddenIsSaidOnceAndTriedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, &leaseServer{}, "one", 0, func(p *contender) {
			p.fail(apierrors.NewForbidden(leasesResource, "rollcall", errors.New("no role allows it")))
		})
		after(time.Hour)
		if n := p.count("level=ERROR"); n != 1 || p.leadsNow() {
			t.Errorf("%d lines, leading: %v", n, p.leadsNow())
		}
		p.fail(nil)
		after(5 * time.Second)
		if !p.leadsNow() || p.count("the Lease is within reach again") != 1 {
			t.Error("it does not lead when it may")
		}
		p.stop()
		<-p.ended
	})
}

func TestToEndWhileWaitingTakesNoTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &leaseServer{}
		one, two := start(t, server, "one", 0), start(t, server, "two", 0)
		after(time.Minute)
		if one.leadsNow() == two.leadsNow() {
			t.Fatal("not exactly one leads")
		}
		idle := one
		if one.leadsNow() {
			idle = two
		}
		began := time.Now()
		idle.stop()
		<-idle.ended
		if d := time.Since(began); d > 0 {
			t.Errorf("it took %s", d)
		}
		one.stop()
		two.stop()
		<-one.ended
		<-two.ended
		if idle.leads != 0 {
			t.Error("it led")
		}
	})
}

func TestAloneLeadsAtOnceAndUntilTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		leads := 0
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			Alone().Run(ctx, func(ctx context.Context) { leads++; <-ctx.Done() })
		}()
		synctest.Wait()
		if leads != 1 {
			t.Error("it does not lead")
		}
		cancel()
		<-ended
		if leads != 1 {
			t.Errorf("it led %d times", leads)
		}
	})
}

func TestElectGoesToTheAPIServer(t *testing.T) {
	asked := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case asked <- r.Method + " " + r.URL.Path + " " + r.UserAgent():
		default:
		}
		http.Error(w, "no", http.StatusForbidden)
	}))
	defer server.Close()
	e, err := Elect(ElectOptions{
		Config: &rest.Config{Host: server.URL}, Version: "v1.2.3", Namespace: "rollcall", Name: "rollcall", Identity: "one", Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		e.Run(ctx, func(context.Context) { t.Error("it leads") })
	}()
	if got, want := <-asked, "GET /apis/coordination.k8s.io/v1/namespaces/rollcall/leases/rollcall rollcall/v1.2.3"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	cancel()
	<-ended
}

func TestElectOptionsThatAreMissing(t *testing.T) {
	for name, with := range map[string]func(*ElectOptions){
		"Config":    func(o *ElectOptions) { o.Config = nil },
		"Namespace": func(o *ElectOptions) { o.Namespace = "" },
		"Name":      func(o *ElectOptions) { o.Name = "" },
		"Identity":  func(o *ElectOptions) { o.Identity = "" },
		"Log":       func(o *ElectOptions) { o.Log = nil },
	} {
		t.Run(name, func(t *testing.T) {
			o := ElectOptions{Config: &rest.Config{}, Namespace: "rollcall", Name: "rollcall", Identity: "one", Log: slog.New(slog.DiscardHandler)}
			with(&o)
			if _, err := Elect(o); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("error %v", err)
			}
		})
	}
}
