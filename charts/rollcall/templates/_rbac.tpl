{{- /* What is needed in the watched namespaces, or, where all are watched, in the cluster. docs/configuration.md says what for. */}}
{{- define "rollcall.watchedRules" -}}
- apiGroups: [argoproj.io]
  resources: [cronworkflows]
  verbs: [get, list, watch{{ if .Values.rbac.recoveries }}, patch{{ end }}]
- apiGroups: [argoproj.io]
  resources: [workflows]
  verbs: [get, list, watch{{ if .Values.rbac.recoveries }}, create{{ end }}]
{{- if .Values.rbac.recoveries }}
- apiGroups: [argoproj.io]
  resources: [cronworkflows/finalizers]
  verbs: [update]
{{- end }}
- apiGroups: [argoproj.io]
  resources: [workflowtemplates]
  verbs: [get]
- apiGroups: [rollcall.dev]
  resources: [cronaudits]
  verbs: [get, list, create, update]
- apiGroups: [rollcall.dev]
  resources: [cronaudits/status]
  verbs: [update]
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- end }}

{{- define "rollcall.clusterWorkflowTemplateRules" -}}
- apiGroups: [argoproj.io]
  resources: [clusterworkflowtemplates]
  verbs: [get]
{{- end }}

{{- /* A switch of which null stands for: where all namespaces are watched. */}}
{{- define "rollcall.onClusterWide" -}}
{{- if kindIs "invalid" .switch }}{{ if not .config.namespace }}true{{ end }}{{ else if .switch }}true{{ end }}
{{- end }}

{{- /* A role of these rules and its binding to the ServiceAccount. */}}
{{- define "rollcall.role" }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .namespace | empty | ternary "ClusterRole" "Role" }}
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "rollcall.labels" .root | nindent 4 }}
rules:
  {{- .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .namespace | empty | ternary "ClusterRoleBinding" "RoleBinding" }}
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "rollcall.labels" .root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .namespace | empty | ternary "ClusterRole" "Role" }}
  name: {{ .name }}
subjects:
  - kind: ServiceAccount
    name: {{ include "rollcall.serviceAccountName" .root }}
    namespace: {{ .root.Release.Namespace }}
{{- end }}

{{- define "rollcall.argoRules" -}}
- apiGroups: [""]
  resources: [configmaps]
  resourceNames: [workflow-controller-configmap]
  verbs: [get]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [workflow-controller{{ with index .Values.config "instance-id" }}-{{ . }}{{ end }}]
  verbs: [get]
{{- end }}

{{- /* Which name an object gets is not known to the API server when it decides on a create. */}}
{{- define "rollcall.electionRules" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "rollcall.electionName" . }}]
  verbs: [get, update]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
{{- end }}
