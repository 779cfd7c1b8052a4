/*
 * A virus scanner, as far as others notice it: opens files so that nobody can rename or delete them meanwhile.
 *
 *     scanner.exe watch FOLDER MOST_MS SEED   each new file below FOLDER, for 0 to MOST_MS; until killed
 *     scanner.exe hold FILE MS                one file, for so long; says "held" when it is
 *
 * Every tenth file is opened so that nobody can even read it.
 */

#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>
#include <windows.h>

#define MOST_HELD 4096

struct held {
  HANDLE file;
  ULONGLONG until;
};

static struct held held[MOST_HELD];
static int count;
static unsigned long total;

static void look(const wchar_t *path, unsigned most) {
  if (count == MOST_HELD) return;
  DWORD share = total % 10 == 9 ? 0 : FILE_SHARE_READ | FILE_SHARE_WRITE;
  HANDLE file = CreateFileW(path, GENERIC_READ, share, NULL, OPEN_EXISTING, 0, NULL);
  if (file == INVALID_HANDLE_VALUE) return;
  held[count].file = file;
  held[count++].until = GetTickCount64() + (unsigned)rand() % (most + 1);
  if (++total % 10 == 0) {
    printf("%lu\n", total);
    fflush(stdout);
  }
}

static void let_go(void) {
  ULONGLONG now = GetTickCount64();
  for (int n = 0; n < count;) {
    if (held[n].until > now) {
      n++;
      continue;
    }
    CloseHandle(held[n].file);
    held[n] = held[--count];
  }
}

/* Paths looked at already, by their hashes. */
static unsigned long long seen[1 << 18];

static int is_new(const wchar_t *path) {
  unsigned long long hash = 1469598103934665603ULL;
  for (; *path; path++) hash = (hash ^ *path) * 1099511628211ULL;
  unsigned at = (unsigned)(hash >> 20) & ((1 << 18) - 1);
  while (seen[at] != 0 && seen[at] != hash) at = (at + 1) & ((1 << 18) - 1);
  if (seen[at] == hash) return 0;
  seen[at] = hash;
  return 1;
}

/* By listing: notifications of whole trees are not the same everywhere. */
static void walk(const wchar_t *folder, unsigned most) {
  wchar_t path[1024];
  WIN32_FIND_DATAW found;
  _snwprintf(path, 1023, L"%ls\\*", folder);
  HANDLE list = FindFirstFileW(path, &found);
  if (list == INVALID_HANDLE_VALUE) return;
  do {
    if (wcscmp(found.cFileName, L".") == 0 || wcscmp(found.cFileName, L"..") == 0) continue;
    _snwprintf(path, 1023, L"%ls\\%ls", folder, found.cFileName);
    if (found.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) walk(path, most);
    else if (found.nFileSizeLow > 0 && is_new(path)) look(path, most);
  } while (FindNextFileW(list, &found));
  FindClose(list);
}

static void watch(const wchar_t *folder, unsigned most) {
  printf("watching\n");
  fflush(stdout);
  for (;;) {
    walk(folder, most);
    let_go();
    Sleep(1);
  }
}

int wmain(int argc, wchar_t **argv) {
  if (argc == 5 && wcscmp(argv[1], L"watch") == 0) {
    srand((unsigned)_wtoi(argv[4]));
    watch(argv[2], (unsigned)_wtoi(argv[3]));
  }
  if (argc == 4 && wcscmp(argv[1], L"hold") == 0) {
    HANDLE file = CreateFileW(argv[2], GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
      OPEN_EXISTING, 0, NULL);
    if (file == INVALID_HANDLE_VALUE) {
      printf("cannot hold: error %lu\n", GetLastError());
      return 1;
    }
    printf("held\n");
    fflush(stdout);
    Sleep((DWORD)_wtoi(argv[3]));
    CloseHandle(file);
    return 0;
  }
  printf("usage: scanner watch FOLDER MOST_MS SEED | hold FILE MS\n");
  return 2;
}
