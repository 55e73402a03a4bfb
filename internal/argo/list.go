package argo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
)

// pageSize is how many objects one answer to a list may hold.
const pageSize = 500

// metadataOnly asks for the metadata of objects without the rest.
const metadataOnly = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"

type listing struct {
	resource  schema.GroupVersionResource
	namespace string
	selector  string
	// accept is the media type, JSON when empty.
	accept string
}

// list reads all objects of a listing, page by page, and calls each for every one while the page is read: only what it keeps
// stays in memory. It calls begin before it asks for the first page. It may start again, then it calls begin again: where reading
// takes so long that the API server no longer has the version that the first page was of. It returns the version of the collection,
// from which to watch it.
func list[W any](ctx context.Context, from rest.Interface, l listing, begin func(), each func(*W, error)) (version string, err error) {
	path, err := segments(l.resource, objectName{namespace: l.namespace})
	if err != nil {
		return "", err
	}
	limit, next := pageSize, ""
	begin()
	for {
		request := from.Get().AbsPath(path...)
		if l.selector != "" {
			request.Param("labelSelector", l.selector)
		}
		if l.accept != "" {
			request.SetHeader("Accept", l.accept)
		}
		if limit > 0 {
			request.Param("limit", strconv.Itoa(limit))
		}
		if next != "" {
			request.Param("continue", next)
		}
		meta, err := page(ctx, request, each)
		switch {
		case apierrors.IsResourceExpired(err) && next != "":
			limit, next = 0, "" // all at once then
			begin()
			continue
		case err != nil:
			return "", err
		case meta.Continue == "":
			return meta.ResourceVersion, nil
		}
		next = meta.Continue
	}
}

// listMeta says which version of the collection a page is of, and where the next page begins.
type listMeta struct {
	ResourceVersion string `json:"resourceVersion"`
	Continue        string `json:"continue"`
}

// page reads one page.
func page[W any](ctx context.Context, request *rest.Request, each func(*W, error)) (meta listMeta, err error) {
	stream, err := request.Stream(ctx)
	if err != nil {
		return meta, err
	}
	defer stream.Close()
	decoder := json.NewDecoder(stream)
	if err := expect(decoder, json.Delim('{')); err != nil {
		return meta, err
	}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return meta, broken(err)
		}
		switch key {
		case "metadata":
			if err := decoder.Decode(&meta); err != nil {
				return meta, broken(err)
			}
		case "items":
			if err := items(decoder, each); err != nil {
				return meta, err
			}
		default:
			var ignored json.RawMessage
			if err := decoder.Decode(&ignored); err != nil {
				return meta, broken(err)
			}
		}
	}
	return meta, expect(decoder, json.Delim('}'))
}

func items[W any](decoder *json.Decoder, each func(*W, error)) error {
	open, err := decoder.Token()
	if err != nil {
		return broken(err)
	}
	if open == nil { // null: no items
		return nil
	}
	if open != json.Delim('[') {
		return broken(fmt.Errorf("items begin with %v", open))
	}
	for decoder.More() {
		object := new(W)
		err := decoder.Decode(object)
		if err != nil && !wrongType(err) {
			return broken(err)
		}
		each(object, err)
	}
	return expect(decoder, json.Delim(']'))
}

func expect(decoder *json.Decoder, want json.Delim) error {
	token, err := decoder.Token()
	if err != nil {
		return broken(err)
	}
	if token != want {
		return broken(fmt.Errorf("%v where %v belongs", token, want))
	}
	return nil
}

// broken is the error for an answer that ends early or is no list.
func broken(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("the answer to a list cannot be read: %w", err)
}
