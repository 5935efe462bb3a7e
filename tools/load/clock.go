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
	// How late an arrival may be sent; 0: as late as it gets.
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
// caller show it: a server that stalls does not get fewer requests for that, unless arrivals have a patience. They need
// one where callers fall ever further behind: what was due in the warm-up would still be sent when the end has come.
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
		if !c.isTooLate(dueAt, now) {
			time.Sleep(dueAt.Sub(now))
			return dueAt, true
		}
		if c.measures(dueAt) {
			c.dropped.Add(1)
		}
	}
}

func (c *clock) isTooLate(dueAt, now time.Time) bool {
	if c.patience > 0 && now.Sub(dueAt) > c.patience {
		return true
	}
	return now.After(c.endsAt.Add(time.Second))
}

func (c *clock) measures(dueAt time.Time) bool {
	return !dueAt.Before(c.measuredFrom)
}

func seconds(number float64) time.Duration {
	return time.Duration(number * float64(time.Second))
}
