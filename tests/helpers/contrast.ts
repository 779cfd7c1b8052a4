/*
 * Contrast of what a page shows, by WCAG 2.2: 1.4.3 for texts (4.5:1, large ones 3:1), 1.4.11 for icons that say a state and
 * for the borders of fields (3:1).
 */

import type { Page } from "playwright-core";
import * as inPage from "./in_page.js";

export interface LowContrast {
  readonly what: string;
  readonly ratio: number;
  readonly wanted: number;
}

/** What is too faint, and how many things were looked at. */
export async function contrasts(page: Page): Promise<{ seen: number; low: LowContrast[] }> {
  return await page.evaluate(inPage.contrasts);
}
