package upload

// AnyFile stands in the name of a form's object for the name of the file that is sent by it.
const AnyFile = "${filename}"

// Form is a form by which a browser sends a file straight into the bucket of key files.
type Form struct {
	Name        string            // of the object; it may end in AnyFile
	Least, Most int64             // bytes
	Fields      map[string]string // what the form holds besides, and the signature covers
}
