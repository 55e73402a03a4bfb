//go:build node

package install

import (
	"strings"

	authorization "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"rollcall.dev/rollcall/test/cluster"
)

// mayI is `kubectl auth can-i` as a service account, asked of the API server itself: a thousand processes would take minutes.
func (s *scenario) mayI(account string, q question) (bool, error) {
	config := shared.RESTConfig(cluster.Admin)
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return false, err
	}
	resource, rest, _ := strings.Cut(q.resource, "/")
	resource, group, _ := strings.Cut(resource, ".")
	attributes := &authorization.ResourceAttributes{Namespace: q.namespace, Verb: q.verb, Group: group, Resource: resource}
	if rest == "status" || rest == "finalizers" || rest == "exec" {
		attributes.Subresource = rest
	} else {
		attributes.Name = rest
	}
	// The groups that the API server gives to a service account's token.
	namespace, _, _ := strings.Cut(strings.TrimPrefix(account, "system:serviceaccount:"), ":")
	review := &authorization.SubjectAccessReview{Spec: authorization.SubjectAccessReviewSpec{
		User: account, Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"},
		ResourceAttributes: attributes,
	}}
	answer, err := client.AuthorizationV1().SubjectAccessReviews().Create(s.ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, err
	}
	return answer.Status.Allowed, nil
}
