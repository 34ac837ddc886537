package reference_test

import (
	"strings"
	"testing"

	"keypool/infra/reference"
)

const document = `{
	"info": {"title": "Keys", "description": "All about keys."},
	"tags": [{"name": "Pools", "description": "Where keys are."}],
	"paths": {"/v1/pools/{pool}": {"put": {
		"operationId": "put-pool", "summary": "Change a pool", "description": "One <b>.\n\nTwo.", "tags": ["Pools"],
		"security": [{"merchant": ["settings"]}], "x-roles": ["owner", "manager"],
		"parameters": [{"name": "pool", "in": "path", "required": true, "schema": {"type": "string", "maxLength": 63}}],
		"requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pool"}, "example": {"low": 10}}}},
		"responses": {
			"200": {"description": "As it is.", "content": {"application/json": {"schema": {"type": "array", "items": {"$ref": "#/components/schemas/Pool"}}}}},
			"201": {"description": "Either.", "content": {
				"application/json": {"schema": {"type": "object"}, "example": {"low": 7}}, "application/yaml": {"schema": {"type": "object"}}
			}},
			"204": {"description": "Nothing changed."},
			"404": {"$ref": "#/components/responses/NotFound"}
		}
	}}},
	"webhooks": {"order.paid": {"post": {"operationId": "order-paid", "summary": "An order is paid"}}},
	"components": {
		"responses": {"NotFound": {"description": "It is not there.", "content": {
			"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}, "example": {"status": 404}}
		}}},
		"securitySchemes": {"merchant": {"description": "A token."}},
		"schemas": {
			"Pool": {"type": "object", "required": ["low"], "properties": {
				"low": {"type": ["integer", "null"], "description": "Warn below.", "minimum": 0, "maximum": 9, "default": 3},
				"side": {"type": "string", "enum": ["live", "test"], "readOnly": true},
				"sums": {"type": "object", "additionalProperties": {"type": "string"}}
			}},
			"Problem": {"type": "object", "additionalProperties": false}
		}
	}
}`

func TestPage(t *testing.T) {
	t.Parallel()
	made, err := reference.Page([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	page := string(made)
	for _, want := range []string{
		"<h1>Keys: API reference</h1>", "<p>All about keys.</p>", "<p>A token.</p>",
		`<li><a href="#put-pool">Change a pool</a></li>`, `<h3 id="put-pool">Change a pool</h3>`,
		`<b class="PUT">PUT</b> <code>/v1/pools/{pool}</code> <span class="scope">scope <code>settings</code>, roles owner, manager</span>`,
		"<p>One &lt;b&gt;.</p>\n<p>Two.</p>",
		`<code>pool</code> <span class="must">required</span></dt><dd><span class="kind">string, in the path, at most 63 characters</span>`,
		"<pre tabindex=\"0\">{\n  &#34;low&#34;: 10\n}</pre>",
		`<dt><code>200</code></dt><dd>As it is: list of <a href="#object-Pool">Pool</a>`, `<dt><code>204</code></dt><dd>Nothing changed.`,
		`<dt>Problems</dt><dd><a href="#problem-404">404</a></dd>`,
		`<dt><code>201</code></dt><dd>Either: object, as <code>application/json</code>, or as <code>application/yaml</code>` + "\n<details>",
		"<h3 id=\"problem-404\">404</h3>\n<p>It is not there.</p>\n<pre tabindex=\"0\">{\n  &#34;status&#34;: 404\n}</pre>",
		`<span class="kind">integer or null, at least 0, at most 9, 3 where left out</span>`, "read only, one of &#34;live&#34;, &#34;test&#34;", "object of string",
		`<h3 id="order-paid">An order is paid</h3>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	for _, never := range []string{"<script", "src=", "@import", "http://", "https://"} {
		if strings.Contains(page, never) {
			t.Errorf("the page holds %s", never)
		}
	}
	if _, err := reference.Page([]byte("{")); err == nil {
		t.Error("a document that is cut off makes a page")
	}
}
