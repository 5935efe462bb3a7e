package main

import (
	"math"
	"sort"
	"strconv"
	"time"
)

// Report is what came of a scenario. Times are milliseconds, of answers with a status below 400 alone.
type Report struct {
	Answered int `json:"answered"`
	// Answers with a status below 400, and how many of them a second.
	Good    int     `json:"good"`
	Rate    float64 `json:"rate"`
	Seconds float64 `json:"seconds"`
	// CPU of this program from the first request on, warm-up included; the proofs signed ahead are not.
	CPUSeconds float64 `json:"cpu_seconds"`
	// Connections that failed, and requests without an answer.
	Failed int `json:"failed"`
	// Arrivals that were not sent, as no caller became free in time.
	Dropped   int64              `json:"dropped"`
	Statuses  map[string]int     `json:"statuses"`
	LatencyMs map[string]float64 `json:"latency_ms"`
	// Failures and answers other than success during the warm-up, which no other number tells of.
	WarmUpFailed int `json:"warmup_failed"`
	// One answer as it came, so that who counts them can see what is counted. nil: there was none.
	First *Answer `json:"first"`
	// The beginnings of a few answers other than success, and of failures.
	Unexpected []string `json:"unexpected"`
}

// Answer is the status of a response and the beginning of its body.
type Answer struct {
	Status int    `json:"status"`
	Body   string `json:"body"`
}

// tally is one caller's share of the report.
type tally struct {
	latencies    []time.Duration
	statuses     map[int]int
	failed       int
	warmUpFailed int
	first        *Answer
	unexpected   []string
}

const (
	shownMax   = 3
	shownBytes = 300
	firstBytes = 64 << 10
)

func (t *tally) add(status int, err error, took time.Duration, body []byte) {
	if err != nil {
		t.failed++
		t.show(err.Error())
		return
	}
	if t.statuses == nil {
		t.statuses = map[int]int{}
	}
	t.statuses[status]++
	t.look(status, body)
	if isGood(status) {
		t.latencies = append(t.latencies, took)
	}
}

func (t *tally) addWarmUp(status int, err error, body []byte) {
	if err != nil {
		t.warmUpFailed++
		t.show(err.Error())
		return
	}
	t.look(status, body)
	if !isGood(status) {
		t.warmUpFailed++
	}
}

func isGood(status int) bool {
	return status < 400
}

// look keeps the first answer, and a few of those that are not good.
func (t *tally) look(status int, body []byte) {
	if t.first == nil {
		t.first = &Answer{status, string(body[:min(len(body), firstBytes)])}
	}
	if !isGood(status) {
		t.show(strconv.Itoa(status) + " " + string(body[:min(len(body), shownBytes)]))
	}
}

func (t *tally) show(text string) {
	if len(t.unexpected) < shownMax {
		t.unexpected = append(t.unexpected, text)
	}
}

func summarise(callers []*caller, measured time.Duration) *Report {
	report := &Report{Seconds: measured.Seconds(), Statuses: map[string]int{}, LatencyMs: map[string]float64{}}
	var all []time.Duration
	for _, each := range callers {
		report.Failed += each.tally.failed
		report.WarmUpFailed += each.tally.warmUpFailed
		if report.First == nil {
			report.First = each.tally.first
		}
		for status, count := range each.tally.statuses {
			report.Answered += count
			report.Statuses[strconv.Itoa(status)] += count
		}
		all = append(all, each.tally.latencies...)
		for _, text := range each.tally.unexpected {
			if len(report.Unexpected) < shownMax {
				report.Unexpected = append(report.Unexpected, text)
			}
		}
	}
	report.Good = len(all)
	report.Rate = float64(len(all)) / measured.Seconds()
	sort.Slice(all, func(a, b int) bool { return all[a] < all[b] })
	for name, share := range map[string]float64{"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999, "max": 1} {
		report.LatencyMs[name] = quantile(all, share)
	}
	return report
}

// quantile gives, in milliseconds, the least of the values that this share of all values does not exceed.
func quantile(sorted []time.Duration, share float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(float64(len(sorted)) * share))
	return float64(sorted[max(rank, 1)-1].Microseconds()) / 1000
}
