package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"strings"
	"sync"

	"keypool/shared/look"
	"keypool/shared/problem"
)

//go:embed assets
var assetFiles embed.FS

const assetsPath = homePath + "/assets/"

// asset is a file that pages load. Its name holds a hash of its content, so that a browser
// keeps it for a year, and a new one is loaded at once.
type asset struct {
	content, zipped []byte
	media           string
}

// media are the kinds of files, by their endings.
var media = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

// assets are all files by the name in their address, and the addresses by the files' names.
var assets = sync.OnceValues(func() (map[string]asset, map[string]string) {
	byName, paths := map[string]asset{}, map[string]string{}
	files, err := assetFiles.ReadDir("assets")
	if err != nil {
		panic(err)
	}
	for _, file := range files {
		content, err := assetFiles.ReadFile("assets/" + file.Name())
		if err != nil {
			panic(err)
		}
		end := path.Ext(file.Name())
		if file.Name() == "portal.css" {
			content = []byte(look.Tokens + look.Base + string(content))
		}
		sum := sha256.Sum256(content)
		name := strings.TrimSuffix(file.Name(), end) + "-" + hex.EncodeToString(sum[:6]) + end
		var zipped bytes.Buffer
		z, _ := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
		z.Write(content)
		z.Close()
		byName[name] = asset{content, zipped.Bytes(), media[end]}
		paths[file.Name()] = assetsPath + name
	}
	return byName, paths
})

// assetPath returns the address of a file in assets.
func assetPath(file string) string {
	_, paths := assets()
	if paths[file] == "" {
		panic("no asset " + file)
	}
	return paths[file]
}

func serveAsset(w http.ResponseWriter, r *http.Request) {
	all, _ := assets()
	a, ok := all[r.PathValue("name")]
	if !ok {
		problem.New(http.StatusNotFound, "There is no such file. Load the page again.").Write(w, r)
		return
	}
	w.Header().Set("Content-Type", a.media)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Header().Set("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(a.zipped)
		return
	}
	w.Write(a.content)
}
