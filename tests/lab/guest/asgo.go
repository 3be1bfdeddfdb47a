// SPDX-License-Identifier: LGPL-2.1-or-later

// Domains as programs in Go handle them, with either of the two libraries that they use.
//
//	asgo go VERB ARGS           libvirt-go, which is linked with libvirt
//	asgo terraform VERB ARGS    go-libvirt and libvirtxml, which Terraform's provider (before 0.9) is made of; what it does
//	                            not do, this does not either: exit code 3
//
// The verbs are those of askclient.py. "asgo terraform define" takes a stylesheet behind FILE, and goes FILE's way through
// the provider: into libvirtxml's types, out of them, and through xsltproc with the stylesheet (libvirt/xslt.go).
// "show" of Terraform prints what is left of a domain in those types, which is all that it looks at.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"

	remote "github.com/digitalocean/go-libvirt"
	"github.com/digitalocean/go-libvirt/socket/dialers"
	native "github.com/libvirt/libvirt-go"
	"github.com/libvirt/libvirt-go-xml"
)

const cannot = 3

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func read(name string) string {
	text, err := os.ReadFile(name)
	fail(err)
	return string(text)
}

// typed is the document as it comes back from libvirtxml's types.
func typed(text string) string {
	var domain libvirtxml.Domain
	fail(domain.Unmarshal(text))
	text, err := domain.Marshal()
	fail(err)
	return text
}

func styled(text, stylesheet string) string {
	run := exec.Command("xsltproc", "--nomkdir", "--nonet", "--nowrite", stylesheet, "-")
	run.Stdin, run.Stderr = strings.NewReader(text), os.Stderr
	out, err := run.Output()
	fail(err)
	return string(out)
}

func goes(verb string, args []string) {
	conn, err := native.NewConnect("")
	fail(err)
	defer conn.Close()
	if verb == "define" {
		_, err = conn.DomainDefineXML(read(args[0]))
		fail(err)
		return
	}
	domain, err := conn.LookupDomainByName(args[0])
	fail(err)
	inactive := func() string {
		text, err := domain.GetXMLDesc(native.DOMAIN_XML_INACTIVE)
		fail(err)
		return text
	}
	switch verb {
	case "show":
		fmt.Print(inactive())
	case "typed":
		fmt.Print(typed(inactive()))
	case "edit":
		_, err = conn.DomainDefineXML(strings.Replace(inactive(), args[1], args[2], 1))
	case "start":
		err = domain.Create()
	case "attach":
		err = domain.AttachDeviceFlags(read(args[1]), native.DOMAIN_DEVICE_MODIFY_LIVE)
	case "update":
		err = domain.UpdateDeviceFlags(read(args[1]), native.DOMAIN_DEVICE_MODIFY_LIVE)
	case "detach":
		err = domain.DetachDeviceFlags(read(args[1]), native.DOMAIN_DEVICE_MODIFY_LIVE)
	case "destroy":
		err = domain.Destroy()
	case "undefine":
		err = domain.Undefine()
	default:
		os.Exit(cannot)
	}
	fail(err)
}

func terraform(verb string, args []string) {
	conn := remote.NewWithDialer(dialers.NewLocal())
	fail(conn.ConnectToURI(remote.QEMUSystem))
	defer conn.Disconnect()
	if verb == "define" {
		_, err := conn.DomainDefineXML(styled(typed(read(args[0])), args[1]))
		fail(err)
		return
	}
	domain, err := conn.DomainLookupByName(args[0])
	fail(err)
	switch verb {
	case "show":
		text, err := conn.DomainGetXMLDesc(domain, 0)
		fail(err)
		fmt.Print(typed(text))
	case "start":
		fail(conn.DomainCreate(domain))
	case "destroy":
		fail(conn.DomainDestroy(domain))
	case "undefine":
		fail(conn.DomainUndefineFlags(domain, remote.DomainUndefineNvram))
	default:
		os.Exit(cannot)
	}
}

func main() {
	switch os.Args[1] {
	case "go":
		goes(os.Args[2], os.Args[3:])
	case "terraform":
		terraform(os.Args[2], os.Args[3:])
	default:
		os.Exit(cannot)
	}
}
