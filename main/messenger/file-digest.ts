/**
 * Owns: the hashes of a file, or of its beginning, read in slices that hold nobody up.
 * Called by: outgoing-transfer.ts before an offer, incoming-transfer.ts before a resume and at the end.
 * Calls: the file system.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { FileDigests } from '../msrp/file-sink.ts';

/** A slice is digested in well under a millisecond. */
const SLICE_BYTES = 256 * 1024;

/** Digests the first `length` bytes. Rejects with the system's error, or when aborted or the file is shorter. */
export async function digestFile(path: string, length: number, signal?: AbortSignal): Promise<FileDigests> {
  const digests = new FileDigests();
  await using file = await open(path, 'r');
  const size = Math.max(1, Math.min(SLICE_BYTES, length));
  let [slice, other] = [Buffer.allocUnsafeSlow(size), Buffer.allocUnsafeSlow(size)];
  // The disk fills one slice while the other is digested.
  let reading = read(file, slice, 0, length);
  while (digests.length < length) {
    signal?.throwIfAborted();
    const bytesRead = await reading;
    if (bytesRead === 0) throw new Error('the file has become shorter');
    [slice, other] = [other, slice];
    reading = read(file, slice, digests.length + bytesRead, length);
    digests.update(other.subarray(0, bytesRead));
  }
  return digests;
}

/** Bytes that were read at `from`; 0 at `end`. Its rejection is heard by whoever awaits it, or by nobody. */
function read(file: FileHandle, slice: Buffer, from: number, end: number): Promise<number> {
  const wanted = Math.min(slice.length, end - from);
  const found =
    wanted === 0 ? Promise.resolve(0) : file.read(slice, 0, wanted, from).then((one) => one.bytesRead);
  found.catch(() => undefined);
  return found;
}
