-- Questions to snapshots that were exported as Parquet, for ClickHouse (clickhouse local):
--
--   for t in nodes edges classes; do heapsnap export a.heapsnapshot --table $t --format parquet -o a.$t.parquet; done
--   clickhouse local --queries-file deploy/queries/clickhouse.sql
--
-- In a server, file(...) is s3('https://store/bucket/*.nodes.parquet', ...).

-- What holds the heap, by class.
SELECT class, count() AS objects, sum(self_size) AS bytes
FROM file('a.nodes.parquet', Parquet)
GROUP BY class ORDER BY bytes DESC LIMIT 20;

-- The largest objects that dominate others.
SELECT id, class, name, retained_size, self_size
FROM file('a.nodes.parquet', Parquet)
WHERE distance < 100000000
ORDER BY retained_size DESC LIMIT 20;

-- Who refers to the objects of a class, by the names of the references.
SELECT source.class, e.type, e.name_or_index, count() AS refs
FROM file('a.edges.parquet', Parquet) AS e
INNER JOIN file('a.nodes.parquet', Parquet) AS source ON source.id = e.from_id
INNER JOIN file('a.nodes.parquet', Parquet) AS target ON target.id = e.to_id
WHERE target.class = 'Timeout' AND e.type != 'weak'
GROUP BY source.class, e.type, e.name_or_index ORDER BY refs DESC LIMIT 20;

-- Closures by the place they are made at.
SELECT script, line, `column`, count() AS closures, sum(retained_size) AS bytes
FROM file('a.nodes.parquet', Parquet)
WHERE type = 'closure' AND script IS NOT NULL
GROUP BY script, line, `column` ORDER BY closures DESC LIMIT 20;

-- Texts that are there many times.
SELECT name, count() AS copies, sum(self_size) AS bytes
FROM file('a.nodes.parquet', Parquet)
WHERE type = 'string'
GROUP BY name HAVING copies > 1 ORDER BY bytes DESC LIMIT 20;

-- Classes over a fleet, snapshot by snapshot.
SELECT _file, class, count, retained_size
FROM file('*.classes.parquet', Parquet)
WHERE class IN (SELECT class FROM file('*.classes.parquet', Parquet) GROUP BY class ORDER BY max(retained_size) - min(retained_size) DESC LIMIT 10)
ORDER BY class, _file;
