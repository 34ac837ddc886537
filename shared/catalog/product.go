package catalog

// Inherit returns the product with its empty settings taken from its original. A
// product with a pool for one currency has a pool of its own, and one with a text in
// one language has its own texts.
func (p Product) Inherit(original Product) Product {
	if p.Title == "" {
		p.Title, p.ShortTitle = original.Title, original.ShortTitle
	}
	if p.Pool == "" && len(p.PoolsByCurrency) == 0 {
		p.Pool, p.PoolsByCurrency = original.Pool, original.PoolsByCurrency
	}
	if p.Keys.Count == 0 {
		p.Keys = original.Keys
	}
	if len(p.Texts) == 0 {
		p.Texts = original.Texts
	}
	if p.Instructions == "" {
		p.Instructions = original.Instructions
	}
	if p.Download == "" {
		p.Download = original.Download
	}
	return p
}
