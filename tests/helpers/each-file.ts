import { afterAll, vi } from 'vitest';

// All files share their modules: a clock that one has set is the next one's too.
afterAll(() => vi.restoreAllMocks());
