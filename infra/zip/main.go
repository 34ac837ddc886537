// Zip packs each binary of a folder for Lambda: a zip with one file named bootstrap. The
// same binary gives the same bytes, so that a deployment updates only functions that
// have changed.
package main

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/flate" // packs tighter than the standard library
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: zip FOLDER-OF-BINARIES FOLDER-OF-ZIPS")
		os.Exit(2)
	}
	if err := packAll(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "pack the functions:", err)
		os.Exit(1)
	}
}

func packAll(from, to string) error {
	binaries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, binary := range binaries {
		program, err := os.ReadFile(filepath.Join(from, binary.Name()))
		if err != nil {
			return err
		}
		packed, err := pack(program)
		if err != nil {
			return err
		}
		name := filepath.Join(to, binary.Name()+".zip")
		if err := os.WriteFile(name, packed, 0o644); err != nil {
			return err
		}
		fmt.Printf("  %-28s %4.1f MB\n", name, float64(len(packed))/1e6)
	}
	return nil
}

func pack(program []byte) ([]byte, error) {
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	archive.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	header := &zip.FileHeader{
		Name:     "bootstrap",
		Method:   zip.Deflate,
		Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC), // the oldest that a zip can say
	}
	header.SetMode(0o755)
	entry, err := archive.CreateHeader(header)
	if err != nil {
		return nil, err
	}
	if _, err := entry.Write(program); err != nil {
		return nil, err
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
