package main

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"slices"
)

// gap is what parts pictures on a sheet, in pixels.
const gap = 16

var background = image.NewUniform(color.RGBA{0x80, 0x86, 0x90, 0xff})

// A file is small if it has few colors: those that a sheet has most of, which are the grounds,
// and others that look like none before.
const colors, grounds, alike = 40, 10, 20

// together sets rows of pictures on one sheet.
func together(rows [][]image.Image) *image.RGBA {
	width, height := 0, gap
	for _, row := range rows {
		w, h := gap, 0
		for _, picture := range row {
			w, h = w+picture.Bounds().Dx()+gap, max(h, picture.Bounds().Dy())
		}
		width, height = max(width, w), height+h+gap
	}
	sheet := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.Draw(sheet, sheet.Bounds(), background, image.Point{}, draw.Src)
	y := gap
	for _, row := range rows {
		x, h := gap, 0
		for _, picture := range row {
			size := picture.Bounds().Size()
			draw.Draw(sheet, image.Rectangle{Max: size}.Add(image.Pt(x, y)), picture, picture.Bounds().Min, draw.Src)
			x, h = x+size.X+gap, max(h, size.Y)
		}
		y += h + gap
	}
	return sheet
}

// encode returns a sheet as a small PNG that holds a comment.
func encode(sheet *image.RGBA, comment string) ([]byte, error) {
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, fewColors(sheet)); err != nil {
		return nil, err
	}
	const end = 12 // the length of the last chunk, which says that it ends
	chunk := append([]byte("tEXt"+"Comment\x00"), comment...)
	text := binary.BigEndian.AppendUint32(nil, uint32(len(chunk)-4))
	text = binary.BigEndian.AppendUint32(append(text, chunk...), crc32.ChecksumIEEE(chunk))
	return slices.Insert(out.Bytes(), out.Len()-end, text...), nil
}

// fewColors draws a sheet in few colors.
func fewColors(sheet *image.RGBA) *image.Paletted {
	counts := map[color.RGBA]int{}
	for y := range sheet.Rect.Dy() {
		for x := range sheet.Rect.Dx() {
			counts[sheet.RGBAAt(x, y)]++
		}
	}
	most := slices.SortedFunc(maps.Keys(counts), func(a, b color.RGBA) int {
		return cmp.Or(counts[b]-counts[a], cmp.Compare(a.R, b.R), cmp.Compare(a.G, b.G), cmp.Compare(a.B, b.B))
	})
	var palette color.Palette
	for _, c := range most {
		like := func(has color.Color) bool { return distance(c, has.(color.RGBA)) < alike }
		if len(palette) < grounds || len(palette) < colors && !slices.ContainsFunc(palette, like) {
			palette = append(palette, c)
		}
	}
	nearest := map[color.RGBA]uint8{}
	for c := range counts {
		nearest[c] = uint8(palette.Index(c))
	}
	small := image.NewPaletted(sheet.Rect, palette)
	for y := range sheet.Rect.Dy() {
		for x := range sheet.Rect.Dx() {
			small.SetColorIndex(x, y, nearest[sheet.RGBAAt(x, y)])
		}
	}
	return small
}

func distance(a, b color.RGBA) int {
	apart := func(a, b uint8) int { return max(int(a)-int(b), int(b)-int(a)) }
	return apart(a.R, b.R) + apart(a.G, b.G) + apart(a.B, b.B)
}
