package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"

	"github.com/chromedp/chromedp"

	"keypool/infra/local/machine"
	"keypool/infra/local/shop"
)

// The owner of the demo merchant.
const (
	demoOwner        = "Ada Example"
	demoOwnerAddress = "owner@demo.example"
)

// portal opens the Merchant Portal in a browser, signed in as the demo merchant's owner. Where
// there is no browser, or no display, it prints what to open elsewhere, and the codes of the
// mails that are asked for there.
func portal(ctx context.Context, c *call) error {
	s, _, err := running(ctx, c)
	if err != nil {
		return err
	}
	owner := map[string]string{"name": demoOwner, "email": demoOwnerAddress}
	if err := s.Operate(ctx, http.MethodPost, "/v1/merchants/"+demoMerchant+"/owners", owner, nil); err != nil {
		return fmt.Errorf("make %s an owner: %w", demoOwner, err)
	}
	browser, ok := findBrowser()
	if !ok {
		return portalElsewhere(ctx, s)
	}
	fingerprint, err := c.machine.Fingerprint()
	if err != nil {
		return err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(browser), chromedp.VisibleWindow, chromedp.UserDataDir(filepath.Join(c.checkout, ".local", "portal-browser")),
		chromedp.Flag("ignore-certificate-errors-spki-list", fingerprint))
	allocated, stop := chromedp.NewExecAllocator(ctx, options...)
	defer stop()
	window, closeWindow := chromedp.NewContext(allocated)
	defer closeWindow()
	if err := signInBrowser(window, s); err != nil {
		return &machine.Fault{Says: "The browser could not be signed in.", Try: "make logs FUNCTION=portal", Cause: err}
	}
	fmt.Printf("The portal is open at %s, signed in as %s. Ctrl-C closes it.\n", s.URL+"/portal", demoOwner)
	chromedp.WaitClosed(window)
	return nil
}

// findBrowser returns the path of Chromium, false if there is none, or no display to show it on.
func findBrowser() (string, bool) {
	if os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
		return "", false
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, true
		}
	}
	return "", false
}

// signInBrowser signs the owner in, as people do: by the form and the link of the mail.
func signInBrowser(window context.Context, s *shop.Shop) error {
	at, err := visit(window, s.URL+"/portal/sign-in")
	if err != nil || at == s.URL+"/portal" { // its profile is signed in from the last time
		return err
	}
	asked := now()
	if err := chromedp.Do(window,
		chromedp.SetValue(chromedp.CSS("#email"), demoOwnerAddress),
		chromedp.Submit(chromedp.CSS("#email")),
		chromedp.WaitVisible(chromedp.CSS("#code")),
	); err != nil {
		return err
	}
	m, err := awaitSignIn(window, s, asked, time.Minute)
	if err != nil {
		return err
	}
	if _, err := visit(window, m.link); err != nil {
		return err
	}
	return chromedp.Do(window, chromedp.Click(chromedp.CSS("main button.main")), chromedp.WaitVisible(chromedp.CSS(".nav")))
}

// visit opens an address, and returns the one that it led to.
func visit(window context.Context, address string) (string, error) {
	if err := chromedp.Do(window, chromedp.Navigate(address)); err != nil {
		return "", err
	}
	return chromedp.Run(window, chromedp.Location())
}

// portalElsewhere says how to sign in in a browser that is not here, and prints the codes.
func portalElsewhere(ctx context.Context, s *shop.Shop) error {
	fmt.Printf(`There is no Chromium here, or no display. Open the portal in any browser that reaches this machine:

  %s

It does not know this machine's certificate: say that you go on. Ask for a mail as
  %s
Its code is shown here, and every later one, until Ctrl-C.
`, s.URL+"/portal", demoOwnerAddress)
	for asked := now(); ; {
		m, err := awaitSignIn(ctx, s, asked, 12*time.Hour)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
		fmt.Printf("\n  %s\n", m.code)
		asked = m.sentAt
	}
}

// signInMail is what somebody signs in by.
type signInMail struct {
	link, code string
	sentAt     time.Time
}

var (
	signInLink = regexp.MustCompile(`https://\S+/portal/sign-in/\S+`)
	signInCode = regexp.MustCompile(`(?m)^\d{3} \d{4}$`)
)

// awaitSignIn waits for a mail to the owner that was sent after a time.
func awaitSignIn(ctx context.Context, s *shop.Shop, after time.Time, timeout time.Duration) (signInMail, error) {
	var came signInMail
	err := shop.Await(ctx, timeout, "the mail to sign in by", func() (bool, error) {
		all, err := s.Mails(ctx)
		if err != nil {
			return false, err
		}
		for _, m := range shop.To(all, demoOwnerAddress) {
			link, code := signInLink.FindString(m.Text), signInCode.FindString(m.Text)
			if link != "" && code != "" && m.SentAt.After(after) && (came.sentAt.IsZero() || m.SentAt.Before(came.sentAt)) {
				came = signInMail{link, code, m.SentAt}
			}
		}
		return came.link != "", nil
	})
	if errors.Is(ctx.Err(), context.Canceled) {
		return signInMail{}, ctx.Err()
	}
	return came, err
}
