package main

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/access"
	"keypool/shared/settings"
	"keypool/shared/web/bodies"
	"keypool/shared/web/rest"
)

type ProductPath struct {
	Product string `path:"product" maxLength:"128" doc:"The product's id, as the platform writes it; no question mark." example:"4711"`
}

type putProduct struct {
	ProductPath
	rest.Precondition
	Body Product
}

// Resolve reports mistakes of meaning together with huma's own, of form.
func (in *putProduct) Resolve(huma.Context) []error {
	return rest.Mistakes(settings.CheckProduct(in.Body.Settings("", in.Product)), rest.InPath{"id": "product"})
}

type deleteProduct struct {
	ProductPath
	Force bool `query:"force" doc:"Delete it although paid order lines wait for it to get a pool: they wait on for a product of its id."`
	rest.Precondition
}

// ProductList is one page of the merchant's products.
type ProductList struct {
	Items []Product `json:"items" nullable:"false"`
	Next  string    `json:"next,omitempty" doc:"Where the next page starts: give it as after. Not there on the last page."`
}

func (a *api) addProducts(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "list-products", Method: http.MethodGet, Path: "/v1/products", Tags: []string{"Products"},
		Summary:     "List the products, by id",
		Description: "A page has 15 products at most, whatever limit says: fewer, or none, where their texts are long or they have many aliases. Go on where there is a next.",
		Responses:   to.Responses(ProductList{Items: []Product{bodies.SampleProduct}}, 200),
	}, a.listProducts)
	rest.Register(to, huma.Operation{
		OperationID: "put-product", Method: http.MethodPut, Path: "/v1/products/{product}", Tags: []string{"Products"},
		Summary:     "Create a product, or change it",
		Description: "What the body leaves out is emptied. New orders see the change within 30 seconds. Lines that were paid for before the product had a pool are filled from it. The merchant is told by mail of texts, links, titles and days to redeem that change: of the first product of an hour at once, of others when the hour ends.",
		Errors:      []int{409, 412, 428},
		RequestBody: rest.Request(bodies.SampleProduct.Settable()), Responses: to.Responses(bodies.SampleProduct, 200, 201),
	}, a.putProduct)
	rest.Register(to, huma.Operation{
		OperationID: "get-product", Method: http.MethodGet, Path: "/v1/products/{product}", Tags: []string{"Products"},
		Summary:   "Read a product, by its id or an alias",
		Errors:    []int{404},
		Responses: to.Responses(bodies.SampleProduct, 200),
	}, a.getProduct)
	rest.Register(to, huma.Operation{
		OperationID: "delete-product", Method: http.MethodDelete, Path: "/v1/products/{product}", Tags: []string{"Products"},
		Summary:     "Delete a product",
		Description: "Lines that already have a pool are still filled and mailed, with the default text; paid orders that come later wait as unconnected. A code that its orders got (put-code) is off sale with it. 409 while lines wait for the product to get a pool, unless force says so, and while another product inherits from it.",
		Errors:      []int{404, 409, 412, 428},
	}, a.deleteProduct)
}

// productsAtOnce bounds a page: each product may hold 300 KB of texts, and a
// function's response 6 MB.
const productsAtOnce = 15

func (a *api) listProducts(ctx context.Context, in *rest.Page) (*rest.Body[ProductList], error) {
	products, next, err := a.products.List(ctx, caller(ctx), in.After, min(in.Limit, productsAtOnce))
	out := ProductList{Items: []Product{}, Next: next}
	for _, p := range products {
		out.Items = append(out.Items, bodies.NewProduct(p))
	}
	return &rest.Body[ProductList]{Body: out}, err
}

func (a *api) putProduct(ctx context.Context, in *putProduct) (*rest.Versioned[Product], error) {
	p, created, err := a.products.Put(ctx, in.Body.Settings(caller(ctx), in.Product), access.From(ctx), in.Condition())
	return rest.Stored(p.Version, created, bodies.NewProduct(p)), err
}

func (a *api) getProduct(ctx context.Context, in *ProductPath) (*rest.Versioned[Product], error) {
	p, err := a.products.Get(ctx, caller(ctx), in.Product)
	if err != nil {
		return nil, err
	}
	body := bodies.NewProduct(p)
	is, err := a.products.InForce(ctx, p)
	body.HasOrderPage = is.OrderPage
	for _, source := range is.Texts {
		body.TextSources = append(body.TextSources, TextSource(source))
	}
	return rest.Found(p.Version, body), err
}

func (a *api) deleteProduct(ctx context.Context, in *deleteProduct) (*struct{}, error) {
	return nil, a.products.Delete(ctx, access.From(ctx), in.Product, in.Force, in.Condition())
}
