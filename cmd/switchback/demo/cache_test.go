package demo

import (
	// What the tests of this package build and run. Go caches a test's result by what it imports: without these a
	// change of them would be answered from the cache.
	_ "github.com/switchback-proxy/switchback/caddymodule"
	_ "github.com/switchback-proxy/switchback/cmd/splitcmd"
)
