package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	// lockWait is how long Open waits for another process to let go: a restart overlaps a little.
	lockWait = time.Second
	// lockRetry is how long Open waits between tries.
	lockRetry = 25 * time.Millisecond
)

// errLocked means that another open file holds the lock.
var errLocked = errors.New("locked")

// acquire takes the folder's lock and writes this process's id into it, for people. The operating system lets go of
// the lock when the process ends, however it ends.
func acquire(folder string) (*os.File, error) {
	path := filepath.Join(folder, "lock")
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	if err := waitForLock(file); err != nil {
		if errors.Is(err, errLocked) {
			err = fmt.Errorf("folder %s is in use by another process (%s): a folder has one at a time; "+
				"stop that one, choose another folder, or share states through redis", folder, holder(path))
		}
		return nil, errors.Join(err, file.Close())
	}
	if err := writeHolder(file); err != nil {
		return nil, errors.Join(fmt.Errorf("write lock %s: %w", path, err), file.Close())
	}
	return file, nil
}

// waitForLock tries for lockWait.
func waitForLock(file *os.File) error {
	deadline := time.Now().Add(lockWait)
	for {
		err := tryLock(file)
		if !errors.Is(err, errLocked) || !time.Now().Before(deadline) {
			return err
		}
		<-time.After(lockRetry)
	}
}

// writeHolder puts this process's id into the lock.
func writeHolder(file *os.File) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err := file.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	return err
}

// holder says who holds a lock, as well as can be found out.
func holder(path string) string {
	data, err := os.ReadFile(path)
	pid := strings.TrimSpace(string(data))
	if err != nil || pid == "" {
		return "pid unknown"
	}
	return "pid " + pid
}
