package main

import "keypool/shared/web/bodies"

// The forms of bodies that the portal reads and writes too.
type (
	Catalog         = bodies.Catalog
	Pool            = bodies.Pool
	Stock           = bodies.Stock
	SoldDay         = bodies.SoldDay
	RunsDry         = bodies.RunsDry
	Product         = bodies.Product
	Review          = bodies.Review
	KeyRule         = bodies.KeyRule
	Text            = bodies.Text
	Texts           = bodies.Texts
	TextSource      = bodies.TextSource
	CodeSet         = bodies.CodeSet
	CodesSet        = bodies.CodesSet
	ReviewSettings  = bodies.ReviewSettings
	Brake           = bodies.Brake
	OrderPage       = bodies.OrderPage
	Retention       = bodies.Retention
	AccountSettings = bodies.AccountSettings
)
