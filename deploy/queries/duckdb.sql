-- Questions to snapshots that were exported as Parquet, for DuckDB:
--
--   for t in nodes edges classes; do heapsnap export a.heapsnapshot --table $t --format parquet -o a.$t.parquet; done
--   duckdb -c ".read deploy/queries/duckdb.sql"
--
-- Many snapshots are one table: '*.nodes.parquet', with filename = true to tell them apart.

-- What holds the heap, by class.
select class, count(*) as objects, sum(self_size) as bytes
from 'a.nodes.parquet'
group by class order by bytes desc limit 20;

-- The largest objects that dominate others.
select id, class, name, retained_size, self_size
from 'a.nodes.parquet'
where distance < 100000000
order by retained_size desc limit 20;

-- Who refers to the objects of a class, by the names of the references.
select source.class, e.type, e.name_or_index, count(*) as refs
from 'a.edges.parquet' e
join 'a.nodes.parquet' source on source.id = e.from_id
join 'a.nodes.parquet' target on target.id = e.to_id
where target.class = 'Timeout' and e.type <> 'weak'
group by all order by refs desc limit 20;

-- Closures by the place they are made at: many of one place are listeners, timers, callbacks that stay.
select script, line, "column", count(*) as closures, sum(retained_size) as bytes
from 'a.nodes.parquet'
where type = 'closure' and script is not null
group by all order by closures desc limit 20;

-- Texts that are there many times.
select name, count(*) as copies, sum(self_size) as bytes
from 'a.nodes.parquet'
where type = 'string'
group by name having count(*) > 1 order by bytes desc limit 20;

-- Classes over a fleet: which grow from snapshot to snapshot. Sizes are comparable, ids of two processes are not.
select filename, class, count, retained_size
from read_parquet('*.classes.parquet', filename = true)
where class in (select class from read_parquet('*.classes.parquet') group by class order by max(retained_size) - min(retained_size) desc limit 10)
order by class, filename;
