package main

import (
	"image"
	"image/color"
	"image/draw"
)

// gap is what parts pictures on a sheet, in pixels.
const gap = 16

var background = image.NewUniform(color.RGBA{0x80, 0x86, 0x90, 0xff})

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
