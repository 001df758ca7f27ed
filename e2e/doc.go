// Package e2e tries the built binary as those meet it who put it in front of their traffic: real processes, a real
// Redis, real upstreams and clients, the command line and the documents. It has only tests; whatever can be shown
// without a process of its own is tested where it is written.
//
// Each test starts what it needs, on unix sockets and ports that the kernel chooses, in folders of its own, and ends
// it. With -short they are skipped.
package e2e
