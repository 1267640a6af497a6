// Writes the rows of a Parquet file as NDJSON, and the number of row groups on stderr:
// a reader that shares no code with what wrote the file.
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';

const file = await asyncBufferFromFile(process.argv[2]);
const metadata = await parquetMetadataAsync(file);
console.error(metadata.row_groups.length);
for (const row of await parquetReadObjects({ file, metadata, compressors })) {
  console.log(JSON.stringify(row, (key, value) => (typeof value === 'bigint' ? Number(value) : value)));
}
