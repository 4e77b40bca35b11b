#!/usr/bin/env bash
# What a pull request does to networks: pins each at the base commit, holds the head against that, and writes one comment.
#
# In, by environment: MODELS (one MODEL a line, with its options), LIMITS (options of `archinspect budget`), BASE (a commit),
# COMMENT (true or false), REPOSITORY and PULL (where to comment), and GitHub's GITHUB_STEP_SUMMARY and GITHUB_OUTPUT.
# Exits with 1 when a limit is exceeded, and with 2 when a network cannot be read.
set -euo pipefail

place=$(mktemp -d)
trap 'git worktree remove --force "$place/base" 2>/dev/null; rm -rf "$place"' EXIT
report=$place/report.md
marker='<!-- archinspect -->'
status=0 changed=false

git worktree add --quiet --detach "$place/base" "$BASE"
printf '%s\n## What this does to the networks\n' "$marker" >"$report"

while IFS= read -r line; do
    [ -n "${line//[[:space:]]/}" ] || continue
    mapfile -d '' words < <(xargs printf '%s\0' <<<"$line")
    mapfile -d '' limits < <(xargs printf '%s\0' <<<"${LIMITS:-}")
    [ -n "${limits[*]}" ] || limits=()
    printf '\n### `%s`\n\n' "${words[0]}" >>"$report"
    lock=$place/base.lock.json
    rm -f "$lock"
    if ! (cd "$place/base" && archinspect budget "${words[@]}" --lock "$lock" --update) >/dev/null 2>"$place/error"; then
        printf 'It is new, or could not be read before.\n\n' >>"$report"
        changed=true
        archinspect summary "${words[@]}" --depth 1 --format markdown >>"$report" || exit 2
    else
        code=0
        archinspect budget "${words[@]}" --lock "$lock" --format markdown >"$place/found" || code=$?
        case $code in
        0) printf 'Its figures and layers are as they were.\n' >>"$report" ;;
        1) changed=true && sed "s|$lock|the base|g" "$place/found" >>"$report" ;;
        *) exit 2 ;;
        esac
    fi
    if [ ${#limits[@]} -gt 0 ]; then
        code=0
        archinspect budget "${words[@]}" "${limits[@]}" --format markdown >"$place/found" || code=$?
        [ "$code" -le 1 ] || exit 2
        { printf '\n' && cat "$place/found"; } >>"$report"
        [ "$code" -eq 0 ] || status=1
    fi
done <<<"$MODELS"

cat "$report" >>"${GITHUB_STEP_SUMMARY:-/dev/stdout}"
echo "changed=$changed" >>"${GITHUB_OUTPUT:-/dev/null}"

comment() { # write the report into the comment that is there, or into a new one if there is something to say
    local comments=repos/$REPOSITORY/issues/$PULL/comments mine
    mine=$(gh api --paginate "$comments" --jq ".[] | select(.body | startswith(\"$marker\")) | .id" | head -n 1) || return
    if [ -n "$mine" ]; then
        gh api --method PATCH "repos/$REPOSITORY/issues/comments/$mine" -F body=@"$report" >/dev/null
    elif [ "$changed" = true ] || [ $status -ne 0 ]; then
        gh api --method POST "$comments" -F body=@"$report" >/dev/null
    fi
}
if [ "${COMMENT:-true}" = true ] && [ -n "${PULL:-}" ]; then
    # The token of a pull request from a fork may not comment; the job's summary has the report.
    comment || echo "::warning::archinspect could not comment on the pull request"
fi
exit $status
