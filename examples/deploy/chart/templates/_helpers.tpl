{{- define "finewright.name" -}}
{{- if contains "finewright" .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-finewright{{ end }}
{{- end }}

{{- define "finewright.image" -}}
{{ printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) | quote }}
{{- end }}

{{- define "finewright.pods" -}}
app.kubernetes.io/name: finewright
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "finewright.labels" -}}
{{ include "finewright.pods" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- /* What cannot be right is refused before anything is applied. */}}
{{- define "finewright.check" -}}
{{- if not .Values.serve.models }}{{ fail "serve.models: no model to serve; e.g. --set 'serve.models={/runs/my-run}' --set runs=CLAIM" }}{{ end }}
{{- if and .Values.serve.audit (not .Values.work) }}{{ fail "serve.audit: the audit would end with its pod; set `work` to a claim" }}{{ end }}
{{- if and .Values.work (gt (int .Values.replicas) 1) }}{{ fail "replicas: one server writes `work`; set replicas to 1, or take one release for each claim" }}{{ end }}
{{- $store := default "" (default dict .Values.serve.limits).store }}
{{- if and (gt (int .Values.replicas) 1) $store (not (regexMatch "^rediss?://" $store)) }}{{ fail "serve.limits.store: several pods count limits together in Redis alone; set it to redis://HOST:6379/0, or replicas to 1" }}{{ end }}
{{- end }}
