// Package clients lets the agent protocols' own clients, as their authors publish them, talk through the built proxy to
// stand-in agents. It compares what they saw with what they see without the proxy, and what the proxy counted with what
// it promises, and prints both as a table.
//
// It has only tests, and `make test-clients` runs them: they need Node 20 or newer and the npm packages that
// package-lock.json pins (the newest that run on Node 20). Without SWITCHBACK_CLIENTS=1 they are skipped. What is made
// of every byte is tested in package stream; here it is shown that those are the bytes that real clients live on.
package clients
