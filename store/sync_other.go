//go:build !unix

package store

// syncFolder does nothing: where folders cannot be opened and synced, the file system's own journal has to do.
func syncFolder(string) error { return nil }
