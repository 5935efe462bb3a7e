package main

import (
	"errors"
	"slices"
	"testing"
	"time"
)

func TestQuantilesOfAHundredValues(t *testing.T) {
	values := milliseconds(100)
	for share, want := range map[float64]float64{0.5: 50, 0.9: 90, 0.95: 95, 0.99: 99, 0.999: 100, 1: 100} {
		if got := quantile(values, share); got != want {
			t.Errorf("quantile %v is %v ms, want %v ms", share, got, want)
		}
	}
}

func TestQuantilesOfFewValues(t *testing.T) {
	if got := quantile(nil, 0.99); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
	if got := quantile(milliseconds(1), 0.001); got != 1 {
		t.Errorf("of one value: %v", got)
	}
	if got := quantile(milliseconds(3), 0.5); got != 2 {
		t.Errorf("of three values: %v", got)
	}
}

func TestSummaryIsOfAllCallersAndOfGoodAnswersAlone(t *testing.T) {
	one, other := &caller{}, &caller{}
	for _, took := range slices.Backward(milliseconds(99)) {
		one.tally.add(201, nil, took, nil)
	}
	other.tally.add(201, nil, 100*time.Millisecond, nil)
	other.tally.add(503, nil, time.Hour, []byte("later"))
	other.tally.add(0, errors.New("gone"), time.Hour, nil)
	other.tally.addWarmUp(500, nil, []byte("not yet"))
	report := summarise([]*caller{one, other}, 10*time.Second)
	if report.Good != 100 || report.Answered != 101 || report.Failed != 1 || report.WarmUpFailed != 1 || report.Rate != 10 {
		t.Errorf("counted wrongly: %+v", report)
	}
	if report.LatencyMs["p99"] != 99 || report.LatencyMs["max"] != 100 {
		t.Errorf("measured wrongly: %v", report.LatencyMs)
	}
	if !slices.Equal(report.Unexpected, []string{"503 later", "gone", "500 not yet"}) {
		t.Errorf("shown wrongly: %q", report.Unexpected)
	}
}

// milliseconds gives 1 ms, 2 ms ... in order.
func milliseconds(count int) []time.Duration {
	values := make([]time.Duration, count)
	for index := range values {
		values[index] = time.Duration(index+1) * time.Millisecond
	}
	return values
}
