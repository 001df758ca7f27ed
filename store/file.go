package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// tempMark is in the name of every file that WriteFile has not finished. No valid name holds a dot, so that no
// document can be taken for one.
const tempMark = ".tmp-"

// WriteFile writes a file of mode 0600 so that a crash at any moment, power loss included, leaves either the old file
// or the new one: it writes a temporary file beside it, syncs it, renames it and syncs the folder.
func WriteFile(path string, data []byte) error {
	if err := replace(path, data, (*os.File).Sync); err != nil {
		return err
	}
	if err := syncFolder(filepath.Dir(path)); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// replace writes a temporary file beside path, settles it and renames it.
func replace(path string, data []byte, settle func(*os.File) error) error {
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+tempMark+"*") // mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	err = fill(temp, data, settle)
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, errors.Join(err, removeIfThere(temp.Name())))
	}
	return nil
}

// unsettled leaves it to the system when a file reaches the disk.
func unsettled(*os.File) error { return nil }

// fill writes data to a new file, settles and closes it.
func fill(file *os.File, data []byte, settle func(*os.File) error) error {
	_, err := file.Write(data)
	if err == nil {
		err = settle(file)
	}
	return errors.Join(err, file.Close())
}

// removeIfThere removes a file; one that is gone already is fine.
func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// RemoveTemps removes what a crash in the middle of WriteFile left in a folder.
func RemoveTemps(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("clean folder: %w", err)
	}
	for _, entry := range entries {
		if !strings.Contains(entry.Name(), tempMark) {
			continue
		}
		if err := removeIfThere(filepath.Join(folder, entry.Name())); err != nil {
			return fmt.Errorf("clean folder: %w", err)
		}
	}
	return nil
}
