"""Reads files in the Trace Event Format (Google, "Trace Event Format", JSON object format), and is strict about it: what it takes, Perfetto
and chrome://tracing show."""
import json


class BadTrace(Exception):
    """The file breaks a rule of the format."""


def read(path):
    """The spans, a list for each track by its name: (start, duration, name, category, arguments) in microseconds, in the order of their starts."""
    with open(path, encoding="ascii") as stream:
        document = json.load(stream)
    if not isinstance(document, dict) or document.get("displayTimeUnit") not in ("ms", "ns") or not isinstance(document.get("traceEvents"), list):
        raise BadTrace("no traceEvents, or a displayTimeUnit that is unknown")
    groups, names, spans = {}, {}, {}
    for event in document["traceEvents"]:
        for key, kind in (("ph", str), ("name", str), ("pid", int), ("tid", int), ("args", dict)):
            if not isinstance(event.get(key), kind) or isinstance(event[key], bool):
                raise BadTrace(f"'{key}' of {event}")
        track = event["pid"], event["tid"]
        if event["ph"] == "M":
            if event["name"] not in ("process_name", "thread_name") or not isinstance(event["args"].get("name"), str):
                raise BadTrace(f"metadata {event}")
            if event["name"] == "process_name":
                groups[event["pid"]] = event["args"]["name"]
            elif track in names:
                raise BadTrace(f"two names of track {track}")
            else:
                names[track] = event["args"]["name"]
        elif event["ph"] == "X":
            start, duration = event.get("ts"), event.get("dur")
            if any(not isinstance(n, (int, float)) or isinstance(n, bool) or n < 0 for n in (start, duration)) or not isinstance(event.get("cat"), str):
                raise BadTrace(f"span {event}")
            spans.setdefault(track, []).append((start, duration, event["name"], event["cat"], event["args"]))
        else:
            raise BadTrace(f"phase of {event}")
    tracks = {}
    for track, row in spans.items():
        if track not in names or track[0] not in groups:
            raise BadTrace(f"track {track} has no name")
        row.sort(key=lambda span: (span[0], -span[1]))
        check_nesting(track, row)
        tracks[f"{groups[track[0]]}/{track[1]} {names[track]}"] = row
    return tracks


def check_nesting(track, row):
    """Spans of one track contain each other or do not meet."""
    resolution = 0.0005  # half a nanosecond: times are decimal fractions of microseconds
    open_ends = []
    for start, duration, name, _, _ in row:
        while open_ends and open_ends[-1] <= start + resolution:
            open_ends.pop()
        if open_ends and start + duration > open_ends[-1] + resolution:
            raise BadTrace(f"track {track}: '{name}' at {start} ends after the span that it is in")
        open_ends.append(start + duration)
