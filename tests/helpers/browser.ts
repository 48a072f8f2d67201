import { existsSync, mkdirSync } from 'node:fs';
import { chromium, type Browser, type Page } from 'playwright-core';

const chromium_path = [
  process.env['CHROMIUM'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((path) => path !== undefined && existsSync(path));

/** Where there is none, what needs one is left out. */
export const without_chromium = chromium_path === undefined;

const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
export const laptop = { width: 1440, height: 900 };
export const phone = { width: 390, height: 844 };
export const slow_ms = 90_000;

/** A real Chromium, and the folder that its screenshots go to. */
export function openBrowser(): Promise<Browser> {
  mkdirSync('artifacts', { recursive: true });
  return chromium.launch({ executablePath: chromium_path, args: flags });
}

/** The playground, open and following; what the browser complains of is collected in `complaints`. */
export async function openPlayground(
  browser: Browser,
  demo: { url: string },
  viewport: { width: number; height: number } = laptop,
  colorScheme: 'light' | 'dark' = 'light',
) {
  const page = await browser.newPage({ viewport, colorScheme, reducedMotion: 'reduce' });
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(demo.url)) complaints.push(`asked ${request.url()}`);
  });
  await page.goto(`${demo.url}/playground`);
  await page.locator('[data-testid=link][data-state=live]').waitFor();
  return { page, complaints, at: (id: string) => page.getByTestId(id) };
}

/** Waits for a bubble with all these words in a chat. */
export async function bubble(page: Page, chat: string, ...words: string[]): Promise<string> {
  let found = page.getByTestId(chat).locator('[data-direction=out]');
  for (const word of words) found = found.filter({ hasText: word });
  await found.last().waitFor();
  return found.last().innerText();
}

/** Waits until the handset shows all these words. */
export async function screen(page: Page, ...words: string[]): Promise<void> {
  let found = page.locator('[data-testid=ussd-screen]:is([data-state=open], [data-state=ended])');
  for (const word of words) found = found.filter({ hasText: word });
  await found.waitFor();
}

/** Writes in one of the chats. */
export async function write(
  page: Page,
  text: string,
  chat: 'chat-mine' | 'chat-owner' = 'chat-mine',
): Promise<void> {
  await page.getByTestId(`${chat}-input`).fill(text);
  await page.getByTestId(`${chat}-send`).click();
}
