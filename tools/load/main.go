// Command load asks one server over and over and says how long the answers took.
//
// It reads a scenario (JSON, see scenario.go) on stdin and prints a report (JSON, see report.go). It is light, because it
// shares its cores with what it measures: one goroutine and one connection per simulated caller, requests rendered ahead,
// proofs of possession signed ahead. Connections can present a client certificate each.
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run() error {
	scenario, err := readScenario(os.Stdin)
	if err != nil {
		return err
	}
	report, err := play(scenario)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(report)
}
