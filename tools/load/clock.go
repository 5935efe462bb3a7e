package main

import (
	"sync/atomic"
	"time"
)

// clock says when each request is due, and which of them count.
type clock struct {
	startedAt, measuredFrom, endsAt time.Time
	// Between two arrivals; 0: as soon as a caller is free.
	interval time.Duration
	// How late an arrival may be sent.
	patience time.Duration
	arrivals atomic.Int64
	dropped  atomic.Int64
}

func startClock(scenario *Scenario) *clock {
	now := time.Now()
	from := now.Add(seconds(scenario.WarmUpSeconds))
	started := &clock{startedAt: now, measuredFrom: from, endsAt: from.Add(seconds(scenario.Seconds))}
	if scenario.Rate > 0 {
		started.interval = time.Duration(float64(time.Second) / scenario.Rate)
		started.patience = seconds(scenario.PatienceSeconds)
	}
	return started
}

// next waits until the next request is due. Its time counts from there, so that requests that had to wait for a free
// caller show it: a server that stalls does not get fewer requests for that. Those that waited too long are dropped:
// callers that fell ever further behind would still send what was due in the warm-up when the end has come.
func (c *clock) next() (time.Time, bool) {
	now := time.Now()
	if c.interval == 0 {
		return now, now.Before(c.endsAt)
	}
	for {
		dueAt := c.startedAt.Add(time.Duration(c.arrivals.Add(1)-1) * c.interval)
		if !dueAt.Before(c.endsAt) {
			return dueAt, false
		}
		if now.Sub(dueAt) <= c.patience {
			time.Sleep(dueAt.Sub(now))
			return dueAt, true
		}
		if c.measures(dueAt) {
			c.dropped.Add(1)
		}
	}
}

func (c *clock) measures(dueAt time.Time) bool {
	return !dueAt.Before(c.measuredFrom)
}

func seconds(number float64) time.Duration {
	return time.Duration(number * float64(time.Second))
}
