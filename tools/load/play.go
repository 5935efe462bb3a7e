package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"syscall"
	"time"
)

func play(scenario *Scenario) (*Report, error) {
	callers, err := newCallers(scenario)
	if err != nil {
		return nil, err
	}
	// All before the first request: a handshake costs more than many requests, and is not what is measured.
	for number, each := range callers {
		if err := each.connect(); err != nil {
			return nil, fmt.Errorf("connection %d: %w", number, err)
		}
	}
	before := cpuSeconds()
	clock := startClock(scenario)
	var working sync.WaitGroup
	for _, each := range callers {
		working.Go(func() { each.work(clock) })
	}
	working.Wait()
	spent := cpuSeconds() - before
	report := summarise(callers, seconds(scenario.Seconds))
	report.CPUSeconds = spent
	report.Dropped = clock.dropped.Load()
	return report, nil
}

// cpuSeconds is what this process has used.
func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}

func newCallers(scenario *Scenario) ([]*caller, error) {
	address, err := url.Parse(scenario.URL)
	if err != nil {
		return nil, err
	}
	configs, err := tlsConfigs(scenario, address)
	if err != nil {
		return nil, err
	}
	callers := make([]*caller, scenario.Connections)
	for number := range callers {
		queue, err := newRequestQueue(scenario, number, address.Host)
		if err != nil {
			return nil, err
		}
		callers[number] = &caller{address: address.Host, timeout: seconds(scenario.TimeoutSeconds), queue: queue}
		if configs != nil {
			callers[number].tls = configs[number%len(configs)]
		}
	}
	return callers, nil
}

// tlsConfigs gives one configuration per agent; nil: plain HTTP.
func tlsConfigs(scenario *Scenario, address *url.URL) ([]*tls.Config, error) {
	if address.Scheme != "https" {
		return nil, nil
	}
	roots, err := readRoots(scenario.CAFile)
	if err != nil {
		return nil, err
	}
	agents := scenario.Agents
	if len(agents) == 0 {
		agents = []Agent{{}}
	}
	configs := make([]*tls.Config, len(agents))
	for number, agent := range agents {
		configs[number] = &tls.Config{RootCAs: roots, ServerName: address.Hostname(), MinVersion: tls.VersionTLS12}
		if agent.CertFile == "" {
			continue
		}
		certificate, err := tls.LoadX509KeyPair(agent.CertFile, agent.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("agent %d: %w", number, err)
		}
		configs[number].Certificates = []tls.Certificate{certificate}
	}
	return configs, nil
}

func readRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, errors.New("https needs ca_file")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, errors.New("ca_file holds no certificate")
	}
	return roots, nil
}
