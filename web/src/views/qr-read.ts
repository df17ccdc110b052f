/** Reads a QR from a picture: with the browser's own detector where there is one, else with jsQR. */

import { part } from './part';

/** Pixels as a canvas has them: RGBA, rows from the top. */
export interface Picture {
  readonly data: Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
}

/** Longer sides are scaled down before a picture is searched, in pixels: a photo is searched once… */
const LONGEST_PHOTO = 1600;
/** …and a camera many times a second, with a QR that fills it. */
const LONGEST_FRAME = 800;

interface Detector {
  detect(source: ImageBitmapSource): Promise<{ rawValue: string }[]>;
}

interface DetectorType {
  new (options: { formats: string[] }): Detector;
  getSupportedFormats(): Promise<string[]>;
}

const reader = part(() => import('jsqr'));

/** Finds the text of the QR in a picture; undefined when there is none. */
export async function readPixels(picture: Picture): Promise<string | undefined> {
  const { default: jsQR } = await reader();
  return jsQR(picture.data, picture.width, picture.height)?.data || undefined;
}

let detector: Promise<Detector | undefined> | undefined;

async function ownDetector(): Promise<Detector | undefined> {
  const type = (globalThis as { BarcodeDetector?: DetectorType }).BarcodeDetector;
  const formats = await type?.getSupportedFormats().catch((): string[] => []);
  return type && formats?.includes('qr_code') ? new type({ formats: ['qr_code'] }) : undefined;
}

/** The size that fits into `longest`, in whole pixels, in the same proportion. */
export function fitted(width: number, height: number, longest: number): [number, number] {
  const scale = Math.min(1, longest / Math.max(width, height));
  return [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
}

function pixels(
  source: ImageBitmap | HTMLVideoElement,
  [columns, rows]: [number, number],
): Picture {
  const canvas = document.createElement('canvas');
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context) throw new Error('this browser draws no pictures');
  context.drawImage(source, 0, 0, columns, rows);
  return context.getImageData(0, 0, columns, rows);
}

async function readSource(
  source: ImageBitmap | HTMLVideoElement,
  size: [number, number],
): Promise<string | undefined> {
  detector ??= ownDetector();
  const found = await (await detector)?.detect(source).catch(() => []);
  return found?.[0]?.rawValue || (await readPixels(pixels(source, size)));
}

/** Reads the QR in a photo. Fails when the file is no picture. */
export async function readPhoto(file: Blob): Promise<string | undefined> {
  const bitmap = await createImageBitmap(file);
  try {
    return await readSource(bitmap, fitted(bitmap.width, bitmap.height, LONGEST_PHOTO));
  } finally {
    bitmap.close();
  }
}

/** Reads the QR in what the camera sees now; undefined until it sees one. */
export async function readVideo(video: HTMLVideoElement): Promise<string | undefined> {
  if (video.videoWidth === 0) return undefined;
  return readSource(video, fitted(video.videoWidth, video.videoHeight, LONGEST_FRAME));
}
