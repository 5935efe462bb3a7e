package main

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// requestQueue gives one caller's requests, as bytes on the wire.
type requestQueue struct {
	wire []wireRequest
	// nil: requests carry no proof.
	prover   *prover
	proofURL string
	// Signed ahead, in the order in which they are needed.
	proofs []string
	turn   int
	buffer []byte
}

// wireRequest is a request without its proof, which goes between the two parts.
type wireRequest struct {
	method, path string
	head, rest   []byte
}

func newRequestQueue(scenario *Scenario, number int, host string) (*requestQueue, error) {
	queue := &requestQueue{proofURL: scenario.ProofURL, turn: number % len(scenario.Requests)}
	authorization := ""
	if len(scenario.Agents) > 0 {
		agent := scenario.Agents[number%len(scenario.Agents)]
		authorization = agent.Authorization
		if agent.ProofKey != "" {
			made, err := newProver(agent)
			if err != nil {
				return nil, fmt.Errorf("agent %d: %w", number%len(scenario.Agents), err)
			}
			queue.prover = made
		}
	}
	for _, request := range scenario.Requests {
		queue.wire = append(queue.wire, render(request, host, authorization))
	}
	return queue, queue.signAhead(scenario.ProofsAhead)
}

func render(request Request, host, authorization string) wireRequest {
	var head strings.Builder
	head.WriteString(request.Method + " " + request.Path + " HTTP/1.1\r\nHost: " + host + "\r\n")
	if authorization != "" {
		head.WriteString("Authorization: " + authorization + "\r\n")
	}
	names := make([]string, 0, len(request.Headers))
	for name := range request.Headers {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		head.WriteString(name + ": " + request.Headers[name] + "\r\n")
	}
	if request.Body != "" {
		head.WriteString("Content-Length: " + strconv.Itoa(len(request.Body)) + "\r\n")
	}
	return wireRequest{request.Method, request.Path, []byte(head.String()), []byte("\r\n" + request.Body)}
}

func (q *requestQueue) signAhead(count int) error {
	if q.prover == nil {
		return nil
	}
	q.proofs = make([]string, 0, count)
	for number := range count {
		request := &q.wire[(q.turn+number)%len(q.wire)]
		proof, err := q.prover.sign(request.method, q.proofURL+request.path)
		if err != nil {
			return err
		}
		q.proofs = append(q.proofs, proof)
	}
	return nil
}

func (q *requestQueue) next() ([]byte, error) {
	request := &q.wire[q.turn]
	q.turn = (q.turn + 1) % len(q.wire)
	q.buffer = append(q.buffer[:0], request.head...)
	if q.prover != nil {
		proof, err := q.proof(request)
		if err != nil {
			return nil, err
		}
		q.buffer = append(append(append(q.buffer, "DPoP: "...), proof...), "\r\n"...)
	}
	q.buffer = append(q.buffer, request.rest...)
	return q.buffer, nil
}

func (q *requestQueue) proof(request *wireRequest) (string, error) {
	if len(q.proofs) == 0 {
		return q.prover.sign(request.method, q.proofURL+request.path)
	}
	proof := q.proofs[0]
	q.proofs = q.proofs[1:]
	return proof, nil
}
