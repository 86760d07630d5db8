// Read the letters named in the arguments with Go's packages, and print what they say as JSON.
package main

import (
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"os"
)

type letter struct {
	From        string `json:"from"`
	To          string `json:"to"`
	Subject     string `json:"subject"`
	Unsubscribe string `json:"unsubscribe"`
	Text        string `json:"text"`
	Html        string `json:"html"`
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	found := []letter{}
	for _, name := range os.Args[1:] {
		message := must(mail.ReadMessage(must(os.Open(name))))
		decoder := new(mime.WordDecoder)
		from := must(mail.ParseAddress(message.Header.Get("From")))
		to := must(mail.ParseAddress(message.Header.Get("To")))
		one := letter{
			From:        from.Name + " <" + from.Address + ">",
			To:          to.Name + " <" + to.Address + ">",
			Subject:     must(decoder.DecodeHeader(message.Header.Get("Subject"))),
			Unsubscribe: message.Header.Get("List-Unsubscribe"),
		}
		kind, parameters, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
		if err != nil || kind != "multipart/alternative" {
			panic(kind)
		}
		parts := multipart.NewReader(message.Body, parameters["boundary"])
		for {
			part, err := parts.NextRawPart()
			if err == io.EOF {
				break
			}
			kind, parameters := must2(mime.ParseMediaType(must(part, err).Header.Get("Content-Type")))
			if parameters["charset"] != "utf-8" {
				panic(parameters["charset"])
			}
			body := string(must(io.ReadAll(quotedprintable.NewReader(part))))
			if kind == "text/html" {
				one.Html = body
			} else {
				one.Text = body
			}
		}
		found = append(found, one)
	}
	if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
		panic(err)
	}
}

func must2[A any, B any](a A, b B, err error) (A, B) {
	if err != nil {
		panic(err)
	}
	return a, b
}
