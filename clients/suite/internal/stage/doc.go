// Package stage is where a client under test plays a scenario: it runs the
// driver, serves the scripted connections, and fails the scenario at the first
// thing that is not as the script wants it.
//
// It knows no scenario. A [Scenario] is a function of a [Stage]; it makes
// clients with [Stage.Client], tells them what to do and what to have seen, and
// is the server of each with [Client.Accept].
package stage
