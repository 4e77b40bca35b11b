"""A network and its rewritten form: what each site saves alone, and all of them together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property

from ...errors import ArchinspectError, Diagnostic, fail
from ...graph import Graph, refuse_parameters_only
from ...shown import Shown, counted
from ..analyse import analyse
from ..receptive_field import Field
from ..results import Analysis, Row, Totals
from .assemble import Changes, rewrite
from .catalogue import REWRITES
from .site import Options, Rewrite, Site


@dataclass(frozen=True)
class Priced:
    """A site with the totals of the network in which it alone is rewritten.

    `end_before` and `end_after` are the rows of its last layer, in the network and with all sites rewritten.
    """

    site: Site
    before: Totals
    after: Totals
    end_before: Row
    end_after: Row

    @property
    def params(self) -> int:
        """Parameters that the rewriting adds; negative where it saves."""
        return self.after.params - self.before.params

    @property
    def macs(self) -> int:
        return self.after.macs - self.before.macs

    @property
    def activation_bytes(self) -> int:
        return self.after.activation_bytes - self.before.activation_bytes

    def to_dict(self) -> dict[str, object]:
        return {
            "path": self.site.path,
            "before": self.site.before,
            "after": self.site.after,
            "params": self.params,
            "macs": self.macs,
            "activation_bytes": self.activation_bytes,
            "output_shape": {
                "before": list(self.end_before.output_shape),
                "after": list(self.end_after.output_shape),
            },
            "receptive_field": {
                "before": _plain(self.end_before.receptive_field),
                "after": _plain(self.end_after.receptive_field),
            },
        }


@dataclass(frozen=True)
class Substitution(Shown):
    """A rewrite of a network at some sites.

    `refused` says why its sites could not even be found: a width that has to be tried for them fits nowhere.
    """

    graph: Graph = field(repr=False)
    rewrite: Rewrite
    sites: tuple[Site, ...]
    options: Options
    refused: Diagnostic | None = None

    @cached_property
    def rewritten(self) -> Graph:
        """The network with all sites rewritten, a graph like any other."""
        return self._with(self.sites)

    @cached_property
    def failure(self) -> Diagnostic | None:
        """Why the rewritten network cannot be: a layer that was fixed to a width which is now another."""
        if self.refused is not None:
            return self.refused
        try:
            self.rewritten  # noqa: B018  looking builds it
        except ArchinspectError as error:
            return error.diagnostics[0]
        return None

    @cached_property
    def before(self) -> Analysis:
        return analyse(self.graph)

    @cached_property
    def after(self) -> Analysis:
        return analyse(self.rewritten)

    @cached_property
    def priced(self) -> tuple[Priced, ...]:
        """Each site alone: the figures of the whole network with only that one rewritten."""
        rows_before = {row.name: row for row in self.before.rows}
        rows_after = {row.name: row for row in self.after.rows}
        return tuple(
            Priced(
                site,
                self.before.totals,
                analyse(self._with([site])).totals,
                rows_before[site.end_before],
                rows_after[site.end_after],
            )
            for site in self.sites
        )

    @property
    def is_additive(self) -> bool:
        """Whether what the sites save alone adds up to what they save together (no width of one reaches another)."""
        before, after = self.before.totals, self.after.totals
        sums = sum(p.params for p in self.priced), sum(p.macs for p in self.priced)
        return sums == (after.params - before.params, after.macs - before.macs)

    def _with(self, sites: Sequence[Site]) -> Graph:
        changes: Changes = {index: parts for site in sites for index, parts in site.changes.items()}
        title = str(self.graph.metadata.get("title") or self.graph.name)
        metadata = {
            "title": f"{title}: {self.rewrite.title[:1].lower()}{self.rewrite.title[1:]}",
            "notes": f"{self.graph.name} rewritten. {self.rewrite.explanation}",
        }
        return rewrite(self.graph, changes, name=f"{self.graph.name}_{self.rewrite.name}", metadata=metadata)

    def __repr__(self) -> str:
        head = f"<Substitution '{self.rewrite.name}' in {self.graph.name}: {counted(len(self.sites), 'site')}"
        if self.failure is not None:
            return f"{head}, cannot be built>"
        before, after = self.before.totals, self.after.totals
        return f"{head}, {after.params - before.params:+,} parameters, {after.macs - before.macs:+,} MACs>"

    def to_dict(self, *, sites: bool = True) -> dict[str, object]:
        """The figures; without `sites` only how many there are, which saves pricing each of them."""
        named = {"rewrite": self.rewrite.name, "title": self.rewrite.title, "source": self.rewrite.source}
        if self.failure is not None:
            return {**named, "sites": len(self.sites), "error": self.failure.to_dict()}
        return {
            **named,
            "totals": self.after.totals.to_dict(),
            "sites": [priced.to_dict() for priced in self.priced] if sites else len(self.sites),
        }


#: rewrites whose sites are shown without being asked for
_DETAILED = ("no-reductions", "naive", "full-width", "basic-blocks")


class Forms(Shown, list[Substitution]):
    """A network's other forms: a list of substitutions that shows itself as one table."""

    @property
    def detailed(self) -> list[Substitution]:
        """Those whose sites are shown, too."""
        return [one for one in self if one.rewrite.name in _DETAILED]

    def __repr__(self) -> str:
        return f"[{', '.join(map(repr, self))}]"


def substitute(
    graph: Graph, rewrite: Rewrite, *, sites: Sequence[str] = (), options: Options | None = None
) -> Substitution:
    """Find where a rewrite applies, or only at the sites whose paths match one of `sites` (`inception_3?.*`).

    Raises ArchinspectError (A403) when that leaves none.
    """
    refuse_parameters_only(graph, "rewritten forms")
    options = options or Options()
    found = rewrite.find(graph, options)
    if not found:
        raise fail(
            "A403",
            f"'{rewrite.name}' finds nothing to rewrite in {graph.name}",
            notes=[rewrite.explanation],
            help="archinspect bottleneck --help lists the rewrites",
        )
    chosen = [site for site in found if not sites or any(_matches(site.path, pattern) for pattern in sites)]
    if not chosen:
        paths = ", ".join(site.path for site in found[:8]) + (" …" if len(found) > 8 else "")
        raise fail("A403", f"no site of '{rewrite.name}' matches {', '.join(sites)}", help=f"sites: {paths}")
    return Substitution(graph, rewrite, tuple(chosen), options)


def applicable(graph: Graph, options: Options | None = None) -> Forms:
    """Every rewrite that finds something in the graph, at all its sites; `failure` says which cannot be built."""
    refuse_parameters_only(graph, "rewritten forms")
    options = options or Options()
    made = Forms()
    for each in REWRITES.values():
        try:
            sites = tuple(each.find(graph, options))
        except ArchinspectError as error:  # one rewrite that does not fit leaves the others as they are
            made.append(Substitution(graph, each, (), options, error.diagnostics[0]))
            continue
        made += [Substitution(graph, each, sites, options)] if sites else []
    return made


def _matches(path: str, pattern: str) -> bool:
    return path == pattern or path.startswith(f"{pattern}.") or fnmatchcase(path, pattern)


def _plain(field: Field) -> object:
    return list(field) if isinstance(field, tuple) else field
