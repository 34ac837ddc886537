package browser

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

// A file is small if it has few colors: those that a picture has most of, which are the grounds,
// and others that look like none before.
const (
	Colors         = 40
	grounds, alike = 10, 20
)

// SmallPNG returns a picture as a small PNG that holds a comment.
func SmallPNG(picture image.Image, comment string) ([]byte, error) {
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, fewColors(picture)); err != nil {
		return nil, err
	}
	const end = 12 // the length of the last chunk, which says that it ends
	chunk := append([]byte("tEXt"+"Comment\x00"), comment...)
	text := binary.BigEndian.AppendUint32(nil, uint32(len(chunk)-4))
	text = binary.BigEndian.AppendUint32(append(text, chunk...), crc32.ChecksumIEEE(chunk))
	return slices.Insert(out.Bytes(), out.Len()-end, text...), nil
}

// fewColors draws a picture in few colors.
func fewColors(picture image.Image) *image.Paletted {
	sheet := image.NewRGBA(picture.Bounds())
	draw.Draw(sheet, sheet.Rect, picture, sheet.Rect.Min, draw.Src)
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
		if len(palette) < grounds || len(palette) < Colors && !slices.ContainsFunc(palette, like) {
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
