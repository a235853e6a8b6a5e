/**
 * Owns: the hashes of a file, or of its beginning, read in slices that hold nobody up.
 * Called by: outgoing-transfer.ts before an offer, incoming-transfer.ts before a resume and at the end.
 * Calls: the file system.
 */
import { open } from 'node:fs/promises';
import { FileDigests } from '../msrp/file-sink.ts';

/** A slice is digested in well under a millisecond. */
const SLICE_BYTES = 256 * 1024;

/** Digests the first `length` bytes. Rejects with the system's error, or when aborted or the file is shorter. */
export async function digestFile(path: string, length: number, signal?: AbortSignal): Promise<FileDigests> {
  const digests = new FileDigests();
  await using file = await open(path, 'r');
  const slice = Buffer.allocUnsafeSlow(Math.max(1, Math.min(SLICE_BYTES, length)));
  while (digests.length < length) {
    signal?.throwIfAborted();
    const wanted = Math.min(slice.length, length - digests.length);
    const { bytesRead } = await file.read(slice, 0, wanted, digests.length);
    if (bytesRead === 0) throw new Error('the file has become shorter');
    digests.update(slice.subarray(0, bytesRead));
  }
  return digests;
}
