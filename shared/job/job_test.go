package job_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"keypool/shared/job"
)

// counting counts to five, one number a step, and saves every second number.
type counting struct {
	at, saved int
	done      []string
	fails     map[string]error // by the name of what fails: "step 3", "save 2", "finish"
}

func (c *counting) do(what string) error {
	c.done = append(c.done, what)
	return c.fails[what]
}

func (c *counting) Step(context.Context) (bool, error) {
	if err := c.do("step " + string(rune('1'+c.at))); err != nil {
		return false, err
	}
	c.at++
	return c.at == 5, nil
}

func (c *counting) SaveDue() bool { return c.at-c.saved >= 2 }

func (c *counting) Save(context.Context) error {
	if c.at == c.saved {
		return nil
	}
	err := c.do("save " + string(rune('0'+c.at)))
	c.saved = c.at
	return err
}

func (c *counting) Finish(context.Context) error { return c.do("finish") }

func TestRun(t *testing.T) {
	broken := errors.New("the table is down")
	for name, test := range map[string]struct {
		fails map[string]error
		left  time.Duration // of the invocation's time; 0: no deadline
		want  string
		err   error
	}{
		"to its end":           {nil, 0, "step 1, step 2, save 2, step 3, step 4, save 4, step 5, finish", nil},
		"a step fails":         {map[string]error{"step 4": broken}, 0, "step 1, step 2, save 2, step 3, step 4, save 3", broken},
		"the first step fails": {map[string]error{"step 1": broken}, 0, "step 1", broken},
		"fenced at a save":     {map[string]error{"save 2": job.ErrFenced}, 0, "step 1, step 2, save 2", job.ErrFenced},
		"fenced at the end":    {map[string]error{"finish": job.ErrFenced}, 0, "step 1, step 2, save 2, step 3, step 4, save 4, step 5, finish", job.ErrFenced},
		"out of time":          {nil, time.Second, "step 1, save 1", job.ErrUnfinished},
		"out of time, fenced":  {map[string]error{"save 1": job.ErrFenced}, time.Second, "step 1, save 1", job.ErrFenced},
		"time enough":          {nil, time.Hour, "step 1, step 2, save 2, step 3, step 4, save 4, step 5, finish", nil},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			if test.left > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, test.left)
				defer cancel()
			}
			work := &counting{fails: test.fails}
			if err := job.Run(ctx, work); !errors.Is(err, test.err) {
				t.Errorf("it ended with %v, want %v", err, test.err)
			}
			if did := strings.Join(work.done, ", "); did != test.want {
				t.Errorf("it did %s, want %s", did, test.want)
			}
		})
	}
}

func TestRun_toldOfBothFailures(t *testing.T) {
	broken := errors.New("the table is down")
	work := &counting{fails: map[string]error{"step 2": broken, "save 1": job.ErrFenced}}
	if err := job.Run(t.Context(), work); !errors.Is(err, broken) || !errors.Is(err, job.ErrFenced) {
		t.Errorf("it ended with %v", err)
	}
}
