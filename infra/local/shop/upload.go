package shop

import "fmt"

// UploadCurl is a shell command that uploads keys.txt, in the folder where it is
// run, into a pool's live side: it asks the API for an address and puts the file
// there. Curl is how curl is called.
func UploadCurl(curl, url, token, pool string) string {
	return fmt.Sprintf(`%[1]s -T keys.txt "$(%[1]s -H 'Authorization: Bearer %[3]s' -H 'content-type: application/json' -d '{"name":"keys.txt"}' %[2]s/v1/pools/%[4]s/uploads | sed -E 's/.*"url":"([^"]*)".*/\1/; s/\\u0026/\&/g')"`,
		curl, url, token, pool)
}
