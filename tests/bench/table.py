#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""table: what benchmarks said, as one table.

    table.py LOG [--json FILE] [--doc FILE]

The log is what tests/bench/run wrote: '== NAME' before each benchmark, and among what it says

    row: WHAT | OURS UNIT | PEER UNIT, WHO | at most 1.0
    ratio: WHAT: VALUE (wanted: at most 0.73)

A row without a peer has '-' there, and its bound is for the figure itself.  --doc puts the table
between the marks of a Markdown file.
"""
import argparse, datetime, json, os, re

MARKS = '<!-- make bench-doc: begin -->\n', '<!-- make bench-doc: end -->\n'


def bound_of(text):
    found = re.match(r'(at most|at least) ([0-9.]+)', text)
    return (found[1], float(found[2])) if found else None


def finish(row, value):
    bound = row['bound'] = bound_of(row.pop('wanted'))
    row['met'] = bound and (value <= bound[1] if bound[0] == 'at most' else value >= bound[1])
    return row


def parse_row(text):
    what, ours, peer, wanted = [part.strip() for part in text.split('|')]
    ours, unit = (ours + ' ').split(' ', 1)
    row = {'what': what, 'unit': unit.strip(), 'ours': float(ours), 'peer': None, 'peer_name': None,
           'ratio': None, 'wanted': wanted}
    if peer != '-':
        figure, row['peer_name'] = peer.split(', ', 1)
        row['peer'] = float(figure.split(' ')[0])
        row['ratio'] = round(row['ours'] / row['peer'], 3) if row['peer'] else None
    return finish(row, row['ratio'] if row['peer'] else row['ours'])


def parse_ratio(text):
    what, value, wanted = re.match(r'(.*): ([0-9.-]+)(?: \(wanted: (.*)\))?$', text).groups()
    row = {'what': what, 'unit': '', 'ours': None, 'peer': None, 'peer_name': None,
           'ratio': float(value), 'wanted': wanted or ''}
    return finish(row, row['ratio'])


def parse(lines):
    bench = None
    for line in lines:
        kind, _, text = line.rstrip('\n').partition(' ')
        if kind == '==':
            bench = os.path.basename(text).split('.')[0]
        elif kind in ('row:', 'ratio:'):
            yield dict((parse_row if kind == 'row:' else parse_ratio)(text), bench=bench)


def figure(value, unit=''):
    if value is None:
        return ''
    text = '%.0f' % value if value >= 100 else '%.2f' % value if value >= 0.1 else '%.3g' % value
    return (text + ' ' + unit).strip()


def cells(row):
    peer = figure(row['peer'], row['unit'])
    return (row['what'], figure(row['ours'], row['unit']),
            '%s (%s)' % (peer, row['peer_name']) if peer else '', figure(row['ratio']),
            '%s %g' % tuple(row['bound']) if row['bound'] else '',
            {True: 'yes', False: '**no**', None: ''}[row['met']])


HEADS = ('what', 'ours', 'peer', 'ratio', 'wanted', 'met')


def plain(rows):
    table = [HEADS] + [cells(row) for row in rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(HEADS))]
    for row in table:
        print('  '.join(text.ljust(width) for text, width in zip(row, widths)).rstrip())


def markdown(result):
    loaded = ('The machine had other work meanwhile (load %.1f): only the ratios mean something, and '
              'those little.' % result['load'] if result['loaded'] else 'The machine was quiet.')
    lines = ['%s, `%s`, %d processors. %s' % (result['date'], result['command'],
                                              result['processors'], loaded), '']
    lines += ['| %s |' % ' | '.join(HEADS), '|' + ' --- |' * len(HEADS)]
    lines += ['| %s |' % ' | '.join(cells(row)) for row in result['rows']]
    return '\n'.join(lines) + '\n'


def put_between_marks(path, text):
    old = open(path).read()
    head, rest = old.split(MARKS[0])
    tail = rest.split(MARKS[1])[1]
    open(path, 'w').write(head + MARKS[0] + '\n' + text + '\n' + MARKS[1] + tail)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('log')
    parser.add_argument('--json')
    parser.add_argument('--doc')
    args = parser.parse_args()
    load = float(os.environ.get('BENCH_LOAD', 0))
    processors = len(os.sched_getaffinity(0))
    result = {'date': datetime.date.today().isoformat(),
              'command': os.environ.get('BENCH_COMMAND', 'make bench'), 'processors': processors,
              'load': load, 'loaded': load > processors / 2, 'rows': list(parse(open(args.log)))}
    plain(result['rows'])
    if result['loaded']:
        print('the machine had other work: a load of %.1f' % load)
    if args.json:
        with open(args.json, 'w') as output:
            json.dump(result, output, indent=2)
            output.write('\n')
    if args.doc:
        put_between_marks(args.doc, markdown(result))


main()
