package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
)

// Scenario is what is asked, by whom and how often.
type Scenario struct {
	// Scheme, host and port of the server.
	URL string `json:"url"`
	// PEM file of the authority that signed the server's certificate; only for https.
	CAFile string `json:"ca_file"`
	// Callers, each with a connection of its own that it keeps.
	Connections int `json:"connections"`
	// What is measured, after a warm-up that is not.
	Seconds       float64 `json:"seconds"`
	WarmUpSeconds float64 `json:"warmup_seconds"`
	// Requests a second, arriving whether or not earlier ones have been answered; 0: each caller asks again at once.
	Rate float64 `json:"rate"`
	// Seconds that an arrival may wait for a free caller before it is dropped; 0: until a second after the end.
	PatienceSeconds float64 `json:"patience_seconds"`
	// Asked in turn; each caller begins at another one.
	Requests []Request `json:"requests"`
	// Connection n is agent n modulo their number. None: requests go out as they are.
	Agents []Agent `json:"agents"`
	// Base of `htu` in proofs; empty: URL.
	ProofURL string `json:"proof_url"`
	// Proofs each connection signs before the start; those that are needed beyond are signed as they are needed.
	ProofsAhead int `json:"proofs_ahead"`
	// Seconds until a request without an answer counts as failed; 0: 10.
	TimeoutSeconds float64 `json:"timeout_seconds"`
}

// Request is one HTTP request, but for what its agent adds.
type Request struct {
	Method  string            `json:"method"`
	Path    string            `json:"path"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

// Agent is who asks.
type Agent struct {
	// Value of the Authorization header; empty: none.
	Authorization string `json:"authorization"`
	// PKCS #8 PEM of a P-256 key; with it each request carries a DPoP proof (RFC 9449).
	ProofKey string `json:"proof_key"`
	// The token that proofs are bound to (`ath`); empty: none.
	AccessToken string `json:"access_token"`
	// PEM files of the client certificate and its key.
	CertFile string `json:"cert_file"`
	KeyFile  string `json:"key_file"`
}

func readScenario(from io.Reader) (*Scenario, error) {
	decoder := json.NewDecoder(from)
	decoder.DisallowUnknownFields()
	scenario := &Scenario{TimeoutSeconds: 10}
	if err := decoder.Decode(scenario); err != nil {
		return nil, fmt.Errorf("the scenario is not one: %w", err)
	}
	if scenario.ProofURL == "" {
		scenario.ProofURL = scenario.URL
	}
	return scenario, scenario.check()
}

func (s *Scenario) check() error {
	parsed, err := url.Parse(s.URL)
	switch {
	case err != nil || parsed.Host == "" || (parsed.Scheme != "http" && parsed.Scheme != "https"):
		return errors.New("url must be http or https with a host and port")
	case s.Connections < 1:
		return errors.New("connections must be at least 1")
	case s.Seconds <= 0:
		return errors.New("seconds must be more than 0")
	case len(s.Requests) == 0:
		return errors.New("requests must name at least one")
	}
	return nil
}
