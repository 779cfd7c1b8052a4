; The Windows installer: files, shortcuts, and the order in which the program is asked to do the rest.
;
; It knows no more of the service, the firewall and the configuration than the verbs of the program that see to them
; (service install, service uninstall, setup --defaults). It never writes a configuration itself, and never removes data
; without being told to by a person. What goes wrong after the files are in place is shown and becomes Setup's exit code.
;
; Compile with  /DVersion=1.2.3 /DStage=FOLDER  : the folder holds what is installed, and the pictures.

#ifndef Version
  #error Say /DVersion=1.2.3: the version comes from the build.
#endif
#ifndef Stage
  #error Say /DStage=FOLDER: the folder with the program, nssm.exe, the papers and the pictures.
#endif

#define Name "DICOM Forwarder"
#define Service "DicomForwarder"
#define Id "{8B5B2F0E-6B0F-4C58-9C39-1D0E6C2A7F41}"
; Windows knows versions of numbers only: 1.2.3-rc.1 is 1.2.3 to it.
#define NumericVersion Copy(Version, 1, Pos("-", Version + "-") - 1)
#define Data "{commonappdata}\" + Name
#define Config Data + "\config.json"

; A command of the program in a console: `After` is "& pause", or "|| pause" where only a failure is to be read.
; The quotes are doubled, as a value in the sections below needs them.
#define Console(str Verb, str After) \
  StringChange('/d /s /c ""{app}\dicomforwarder.exe" ' + Verb + ' ' + After + '"', '"', '""')
#define WithConfig '--config "' + Config + '"'
#define WithValues WithConfig + '{code:WizardValues}'

[Setup]
AppId={{#Id}
AppName={#Name}
AppVersion={#Version}
AppPublisher={#Name} contributors
AppComments=Receives DICOM images and forwards them until they have arrived
VersionInfoVersion={#NumericVersion}
VersionInfoTextVersion={#Version}
VersionInfoProductTextVersion={#Version}
VersionInfoDescription={#Name} Setup
MinVersion=10.0
ArchitecturesAllowed=x64compatible
ArchitecturesInstallIn64BitMode=x64compatible
PrivilegesRequired=admin
DefaultDirName={autopf}\{#Name}
DefaultGroupName={#Name}
DisableProgramGroupPage=yes
LicenseFile={#Stage}\LICENSE
OutputBaseFilename=dicom-forwarder-{#Version}-setup
Compression=lzma2
SolidCompression=yes
WizardStyle=modern
SetupIconFile={#Stage}\dicomforwarder.ico
WizardImageFile={#Stage}\wizard-*.bmp
WizardSmallImageFile={#Stage}\wizard-small-*.bmp
UninstallDisplayIcon={app}\dicomforwarder.ico
UninstallDisplayName={#Name}
SetupLogging=yes
UninstallLogging=yes
; The service is stopped in [Code], which waits until the program has ended in order.
CloseApplications=no

[Messages]
FinishedLabel=[name] is installed as a Windows service. Its configuration wizard and its status page are in the Start menu.
FinishedLabelNoIcons=[name] is installed as a Windows service.

[Tasks]
Name: "desktopicon"; Description: "Put ""{#Name} Config"" on the desktop"

[Dirs]
Name: "{#Data}"; Flags: uninsneveruninstall
Name: "{#Data}\logs"; Flags: uninsneveruninstall

[InstallDelete]
Type: filesandordirs; Name: "{app}\docs"
; It was a console once.
Type: files; Name: "{group}\Status Page.lnk"

[Files]
Source: "{#Stage}\dicomforwarder.exe"; DestDir: "{app}"; Flags: ignoreversion
Source: "{#Stage}\nssm.exe"; DestDir: "{app}"; Flags: ignoreversion
Source: "{#Stage}\dicomforwarder.ico"; DestDir: "{app}"; Flags: ignoreversion
; Windows opens .txt with Notepad, and nothing with .md.
Source: "{#Stage}\README.md"; DestDir: "{app}"; DestName: "README.txt"; Flags: ignoreversion
Source: "{#Stage}\LICENSE"; DestDir: "{app}"; DestName: "LICENSE.txt"; Flags: ignoreversion
Source: "{#Stage}\CHANGELOG.md"; DestDir: "{app}"; DestName: "CHANGELOG.txt"; Flags: ignoreversion
Source: "{#Stage}\docs\*.md"; DestDir: "{app}\docs"; Flags: ignoreversion

[Icons]
Name: "{group}\Configuration Wizard"; Filename: "{cmd}"; Parameters: "{#Console('setup ' + WithConfig, '& pause')}"; \
  IconFilename: "{app}\dicomforwarder.ico"; Comment: "Set up what is received and where it goes"; \
  AfterInstall: AskForRights('{group}\Configuration Wizard.lnk')
; An address becomes a shortcut of its own kind (.url), which needs no rights: the page asks for a password where one is set.
Name: "{group}\Status Page"; Filename: "{code:PageAddress}"; IconFilename: "{app}\dicomforwarder.ico"
Name: "{group}\Status Console"; Filename: "{cmd}"; \
  Parameters: "{#Console('status ' + WithConfig, '& pause')}"; \
  IconFilename: "{app}\dicomforwarder.ico"; Comment: "Show how the forwarder is and what waits"; \
  AfterInstall: AskForRights('{group}\Status Console.lnk')
Name: "{group}\Start Service"; Filename: "{cmd}"; Parameters: "{#Console('service start', '& pause')}"; \
  IconFilename: "{app}\dicomforwarder.ico"; Comment: "Start receiving and forwarding"; \
  AfterInstall: AskForRights('{group}\Start Service.lnk')
Name: "{group}\Stop Service"; Filename: "{cmd}"; Parameters: "{#Console('service stop', '& pause')}"; \
  IconFilename: "{app}\dicomforwarder.ico"; Comment: "Stop receiving and forwarding"; \
  AfterInstall: AskForRights('{group}\Stop Service.lnk')
Name: "{group}\Logs Folder"; Filename: "{#Data}\logs"; Comment: "What the forwarder did"
Name: "{group}\Uninstall {#Name}"; Filename: "{uninstallexe}"
Name: "{commondesktop}\{#Name} Config"; Filename: "{cmd}"; Parameters: "{#Console('setup ' + WithConfig, '& pause')}"; \
  IconFilename: "{app}\dicomforwarder.ico"; Comment: "Set up what is received and where it goes"; \
  AfterInstall: AskForRights('{commondesktop}\{#Name} Config.lnk'); Tasks: desktopicon

[Run]
; In this order, each waiting for the one before: what is configured now is what is started. A console that ends well
; closes by itself, one that failed stays until it has been read.
Filename: "{cmd}"; Parameters: "{#Console('setup ' + WithValues, '|| pause')}"; \
  Description: "Configure now"; Check: OfferConfigure(True); Flags: postinstall skipifsilent runascurrentuser
Filename: "{cmd}"; Parameters: "{#Console('setup ' + WithConfig, '|| pause')}"; \
  Description: "Configure now"; Check: OfferConfigure(False); Flags: postinstall skipifsilent runascurrentuser unchecked
Filename: "{cmd}"; Parameters: "{#Console('service start', '|| pause')}"; \
  Description: "Start the service"; Check: OfferStart(True); Flags: postinstall skipifsilent runascurrentuser
Filename: "{cmd}"; Parameters: "{#Console('service start', '|| pause')}"; \
  Description: "Start the service"; Check: OfferStart(False); Flags: postinstall skipifsilent runascurrentuser unchecked

[Code]
const
  // Setup's exit codes beyond Inno Setup's own: the files are in place, but.
  ExitNotConfigured = 10;
  ExitNotRegistered = 11;
  ExitNotStarted = 12;

  SC_MANAGER_CONNECT = 1;
  SERVICE_QUERY_STATUS = 4;
  SERVICE_STOP = $20;
  SERVICE_CONTROL_STOP = 1;
  SERVICE_STOPPED = 1;
  // No state of a service: it is not registered, or may not be looked at.
  NOT_THERE = 0;
  START_TYPE_DISABLED = 4;

type
  TServiceStatus = record
    ServiceType, CurrentState, ControlsAccepted, ExitCode, ServiceExitCode, CheckPoint, WaitHint: Cardinal;
  end;

// The service manager itself, where the program cannot be asked: the one that is installed may be of any version, or broken.
function OpenSCManager(Machine, Database: Cardinal; Access: Cardinal): THandle;
  external 'OpenSCManagerW@advapi32.dll stdcall';
function OpenService(Manager: THandle; ServiceName: String; Access: Cardinal): THandle;
  external 'OpenServiceW@advapi32.dll stdcall';
function QueryServiceStatus(Service: THandle; var Status: TServiceStatus): BOOL;
  external 'QueryServiceStatus@advapi32.dll stdcall';
function ControlService(Service: THandle; Control: Cardinal; var Status: TServiceStatus): BOOL;
  external 'ControlService@advapi32.dll stdcall';
function CloseServiceHandle(Handle: THandle): BOOL;
  external 'CloseServiceHandle@advapi32.dll stdcall';

var
  DicomPage: TWizardPage;
  AetEdit, PortEdit, PacsHostEdit, PacsPortEdit, PacsAetEdit: TNewEdit;
  // Of the service as Setup found it.
  WasThere, WasRunning: Boolean;
  // Setup stopped it and has not yet seen to it that it runs again.
  OwesStart: Boolean;
  FirstFailure: Integer;
  FailureText: String;
  DeleteData: Boolean;

// ---------------------------------------------------------------- values

function ConfigFile: String;
begin
  Result := ExpandConstant('{#Config}');
end;

function HasConfig: Boolean;
begin
  Result := FileExists(ConfigFile);
end;

// A value of Setup's command line; empty where it was not given.
function Given(const Parameter: String): String;
begin
  Result := Trim(ExpandConstant('{param:' + Parameter + '|}'));
end;

function GivenOr(const Parameter, Usual: String): String;
begin
  Result := Given(Parameter);
  if Result = '' then Result := Usual;
end;

function IsGiven(const Switch: String): Boolean;
var
  Index: Integer;
begin
  Result := False;
  for Index := 1 to ParamCount do
    Result := Result or (CompareText(ParamStr(Index), '/' + Switch) = 0);
end;

function HasOnly(const Value: String; const Allowed: String): Boolean;
var
  Index: Integer;
begin
  Result := True;
  for Index := 1 to Length(Value) do
    Result := Result and (Pos(Value[Index], Allowed) > 0);
end;

// The checks of a value return what is wanted, or nothing where it is right. The program has the last word when the
// configuration is written; these are for the person who types.

function AeTitleFault(const Value: String): String;
var
  Index: Integer;
  Good: Boolean;
begin
  Good := (Length(Value) >= 1) and (Length(Value) <= 16);
  for Index := 1 to Length(Value) do
    Good := Good and (Ord(Value[Index]) >= 32) and (Ord(Value[Index]) <= 126) and (Value[Index] <> '\');
  if not Good then
    Result := 'an AE title has 1 to 16 letters, digits or signs, no accents and no backslash';
end;

function PortFault(const Value: String): String;
begin
  if not HasOnly(Value, '0123456789') or (Length(Value) > 5) or (StrToIntDef(Value, 0) < 1) or
     (StrToIntDef(Value, 0) > 65535) then
    Result := 'a port is a number from 1 to 65535';
end;

function HostFault(const Value: String): String;
begin
  if (Length(Value) > 253) or
     not HasOnly(Lowercase(Value), 'abcdefghijklmnopqrstuvwxyz0123456789._:%-') then
    Result := 'a host is a name or an IP address, such as 192.168.1.20';
end;

function InQuotes(Value: String): String;
begin
  StringChangeEx(Value, '"', '\"', True);
  Result := '"' + Value + '"';
end;

function Option(const Name, Value: String): String;
begin
  if Value <> '' then Result := ' ' + Name + ' ' + InQuotes(Value);
end;

// ---------------------------------------------------------------- what goes wrong

// Tells the person who looks on, and the log; nobody may be there to press a button in a silent installation.
procedure Tell(const Text: String);
begin
  Log(Text);
  if not WizardSilent then MsgBox(Text, mbError, MB_OK);
end;

procedure Failed(const Code: Integer; const Text: String);
begin
  if FirstFailure = 0 then
  begin
    FirstFailure := Code;
    FailureText := Text;
  end;
  Tell(Text);
end;

function GetCustomSetupExitCode: Integer;
begin
  Result := FirstFailure;
end;

// ---------------------------------------------------------------- the program

// Runs a command of the installed program and waits. Its exit code, -1 where it could not be run; Output is all it said.
function RunProgram(const Parameters: String; var Output: String): Integer;
var
  Said: TExecOutput;
  Index: Integer;
begin
  Output := '';
  Log('Running dicomforwarder ' + Parameters);
  try
    if not ExecAndCaptureOutput(ExpandConstant('{app}\dicomforwarder.exe'), Parameters, '', SW_HIDE,
                                ewWaitUntilTerminated, Result, Said) then
    begin
      Output := SysErrorMessage(Result);
      Result := -1;
    end;
  except
    Output := GetExceptionMessage;
    Result := -1;
  end;
  for Index := 0 to GetArrayLength(Said.StdOut) - 1 do
  begin
    Log('  ' + Said.StdOut[Index]);
    Output := Output + Said.StdOut[Index] + #13#10;
  end;
  for Index := 0 to GetArrayLength(Said.StdErr) - 1 do
  begin
    Log('  ' + Said.StdErr[Index]);
    Output := Output + Said.StdErr[Index] + #13#10;
  end;
  Output := Trim(Output);
  Log('dicomforwarder ended with ' + IntToStr(Result));
end;

// Files of a program stay in use for a moment after it has ended.
function IsFree(const FileName: String): Boolean;
var
  Stream: TFileStream;
begin
  Result := True;
  if not FileExists(FileName) then Exit;
  try
    Stream := TFileStream.Create(FileName, fmOpenReadWrite or fmShareExclusive);
    Stream.Free;
  except
    Result := False;
  end;
end;

// ---------------------------------------------------------------- the service

// The state of the service, in the service manager's numbers, after asking it to stop where Stop is true.
function ServiceState(const Stop: Boolean): Cardinal;
var
  Manager, Service: THandle;
  Status: TServiceStatus;
begin
  Result := NOT_THERE;
  Manager := OpenSCManager(0, 0, SC_MANAGER_CONNECT);
  if Manager = 0 then Exit;
  Service := OpenService(Manager, '{#Service}', SERVICE_QUERY_STATUS or SERVICE_STOP);
  if Service <> 0 then
  begin
    if Stop then
      if not ControlService(Service, SERVICE_CONTROL_STOP, Status) then
        Log('The service manager does not take the stop now: ' + SysErrorMessage(DLLGetLastError));
    if QueryServiceStatus(Service, Status) then Result := Status.CurrentState;
    CloseServiceHandle(Service);
  end;
  CloseServiceHandle(Manager);
end;

function IsDisabled: Boolean;
var
  StartType: Cardinal;
begin
  Result := RegQueryDWordValue(HKLM, 'SYSTEM\CurrentControlSet\Services\{#Service}', 'Start', StartType) and
    (StartType = START_TYPE_DISABLED);
end;

// How long the service may take to stop, in ms: what its wrapper gives the program, and some for the wrapper.
function StopLimit: Cardinal;
begin
  if not RegQueryDWordValue(HKLM, 'SYSTEM\CurrentControlSet\Services\{#Service}\Parameters',
                            'AppStopMethodConsole', Result) then Result := 30000;
  Result := Result + 20000;
end;

// Stops the service and waits until its files can be replaced. Returns what stands in the way, or nothing.
function StopService: String;
var
  Waited: Cardinal;
begin
  Waited := 0;
  ServiceState(True);
  while (ServiceState(False) <> SERVICE_STOPPED) and (Waited < StopLimit) do
  begin
    Sleep(200);
    Waited := Waited + 200;
    // A service that is just starting takes no stop yet.
    if Waited mod 5000 = 0 then ServiceState(True);
  end;
  if ServiceState(False) <> SERVICE_STOPPED then
    Result := 'The service {#Name} has not stopped after ' + IntToStr(Waited div 1000) +
      ' seconds. Stop it in Services, then run Setup again.';
end;

// Returns what keeps the installed files from being replaced, or nothing.
function FilesInUse: String;
var
  Tries: Integer;
begin
  for Tries := 1 to 50 do
  begin
    if IsFree(ExpandConstant('{app}\dicomforwarder.exe')) and IsFree(ExpandConstant('{app}\nssm.exe')) then Exit;
    Sleep(200);
  end;
  Result := '{#Name} is still in use. Close its windows (Configuration Wizard, Status Console) and command prompts in ' +
    'which it runs, then run Setup again.';
end;

procedure StartService;
var
  Output: String;
begin
  OwesStart := False;
  if RunProgram('service start', Output) <> 0 then
    Failed(ExitNotStarted, 'The service is installed, but does not start.'#13#10#13#10 + Output);
end;

// ---------------------------------------------------------------- before anything is installed

// The version that is installed, or nothing.
function InstalledVersion: String;
begin
  if not RegQueryStringValue(HKLM, 'Software\Microsoft\Windows\CurrentVersion\Uninstall\{#Id}_is1', 'DisplayVersion',
                             Result) then Result := '';
end;

function NumbersOf(const Version: String): Int64;
var
  Numbers: Int64;
begin
  Result := 0;
  if StrToVersion(Copy(Version, 1, Pos('-', Version + '-') - 1), Numbers) then Result := Numbers;
end;

function ParameterFault(const Parameter, Fault: String): String;
begin
  if (Given(Parameter) <> '') and (Fault <> '') then
    Result := '/' + Parameter + '=' + Given(Parameter) + ': ' + Fault + '.'#13#10;
end;

function ParameterFaults: String;
begin
  Result :=
    ParameterFault('AET', AeTitleFault(Given('AET'))) +
    ParameterFault('PORT', PortFault(Given('PORT'))) +
    ParameterFault('PACSHOST', HostFault(Given('PACSHOST'))) +
    ParameterFault('PACSPORT', PortFault(Given('PACSPORT'))) +
    ParameterFault('PACSAET', AeTitleFault(Given('PACSAET')));
  // What was given must not be lost without a word: without a PACS there is no configuration to put it into.
  if WizardSilent and not HasConfig and (Given('PACSHOST') = '') and
     (Given('AET') + Given('PORT') + Given('PACSPORT') + Given('PACSAET') <> '') then
    Result := Result + '/PACSHOST= is missing: the other values need it.'#13#10;
end;

function InitializeSetup: Boolean;
var
  Faults, Installed: String;
begin
  Result := True;
  Faults := Trim(ParameterFaults);
  Installed := InstalledVersion;
  if Faults <> '' then
  begin
    Tell('Nothing has been installed. ' + Faults);
    Result := False;
  end
  else if ComparePackedVersion(NumbersOf(Installed), NumbersOf('{#Version}')) > 0 then
  begin
    Tell('Nothing has been installed. Version ' + Installed + ' is installed, and this is the older {#Version}. ' +
      'To go back, uninstall {#Name} first: its configuration and all images are kept.');
    Result := False;
  end;
end;

// ---------------------------------------------------------------- the page of DICOM settings

var
  NextRow: Integer;

procedure AddHeading(const Text: String);
var
  Heading: TNewStaticText;
begin
  Heading := TNewStaticText.Create(DicomPage);
  Heading.Parent := DicomPage.Surface;
  Heading.Caption := Text;
  Heading.Font.Style := [fsBold];
  Heading.Top := NextRow;
  NextRow := NextRow + Heading.Height + ScaleY(6);
end;

function AddRow(const Text, Value, Hint: String; const Width: Integer): TNewEdit;
var
  Caption, After: TNewStaticText;
begin
  Caption := TNewStaticText.Create(DicomPage);
  Caption.Parent := DicomPage.Surface;
  Caption.Caption := Text;
  Caption.Left := ScaleX(12);
  Caption.Top := NextRow + ScaleY(3);
  Result := TNewEdit.Create(DicomPage);
  Result.Parent := DicomPage.Surface;
  Result.Text := Value;
  Result.Left := ScaleX(112);
  Result.Top := NextRow;
  Result.Width := Width;
  Caption.FocusControl := Result;
  After := TNewStaticText.Create(DicomPage);
  After.Parent := DicomPage.Surface;
  After.Caption := Hint;
  After.Left := Result.Left + Result.Width + ScaleX(8);
  After.Top := NextRow + ScaleY(3);
  NextRow := NextRow + Result.Height + ScaleY(6);
end;

procedure InitializeWizard;
var
  Note: TNewStaticText;
begin
  DicomPage := CreateCustomPage(wpSelectTasks, 'DICOM settings',
    'What do modalities send to, and where do the images go?');
  NextRow := 0;
  AddHeading('This forwarder');
  AetEdit := AddRow('&AE title:', GivenOr('AET', 'DICOMFORWARDER'), 'upper and lower case count', ScaleX(130));
  PortEdit := AddRow('&Port:', GivenOr('PORT', '11112'), 'as entered on the modalities', ScaleX(60));
  NextRow := NextRow + ScaleY(8);
  AddHeading('The PACS that images go to');
  PacsHostEdit := AddRow('&Host:', Given('PACSHOST'), 'name or IP address', ScaleX(200));
  PacsPortEdit := AddRow('P&ort:', GivenOr('PACSPORT', '104'), '', ScaleX(60));
  PacsAetEdit := AddRow('AE &title:', GivenOr('PACSAET', 'PACS'), '', ScaleX(130));
  NextRow := NextRow + ScaleY(8);
  Note := TNewStaticText.Create(DicomPage);
  Note.Parent := DicomPage.Surface;
  Note.AutoSize := False;
  Note.WordWrap := True;
  Note.Top := NextRow;
  Note.Width := DicomPage.SurfaceWidth;
  Note.Height := ScaleY(45);
  Note.Caption := 'Leave the host empty to do this later: the last page of Setup offers the configuration wizard, which ' +
    'also tests the connection and has all other settings.';
end;

function ShouldSkipPage(PageID: Integer): Boolean;
begin
  Result := (PageID = DicomPage.ID) and HasConfig;
end;

// False, with a message, where a value is wrong.
function Accepts(const Edit: TNewEdit; const What, Fault: String): Boolean;
begin
  Result := Fault = '';
  if Result then Exit;
  WizardForm.ActiveControl := Edit;
  Tell(What + ': "' + Edit.Text + '" will not do: ' + Fault + '.');
end;

function NextButtonClick(CurPageID: Integer): Boolean;
begin
  Result := True;
  if CurPageID <> DicomPage.ID then Exit;
  AetEdit.Text := Trim(AetEdit.Text);
  PortEdit.Text := Trim(PortEdit.Text);
  PacsHostEdit.Text := Trim(PacsHostEdit.Text);
  PacsPortEdit.Text := Trim(PacsPortEdit.Text);
  PacsAetEdit.Text := Trim(PacsAetEdit.Text);
  Result :=
    Accepts(AetEdit, 'AE title of this forwarder', AeTitleFault(AetEdit.Text)) and
    Accepts(PortEdit, 'Port of this forwarder', PortFault(PortEdit.Text)) and
    Accepts(PacsHostEdit, 'Host of the PACS', HostFault(PacsHostEdit.Text)) and
    Accepts(PacsPortEdit, 'Port of the PACS', PortFault(PacsPortEdit.Text)) and
    Accepts(PacsAetEdit, 'AE title of the PACS', AeTitleFault(PacsAetEdit.Text));
end;

function UpdateReadyMemo(Space, NewLine, MemoUserInfoInfo, MemoDirInfo, MemoTypeInfo, MemoComponentsInfo, MemoGroupInfo,
                         MemoTasksInfo: String): String;
begin
  if MemoDirInfo <> '' then Result := MemoDirInfo + NewLine + NewLine;
  Result := Result + 'Configuration, images and logs:' + NewLine + Space + ExpandConstant('{#Data}') + NewLine + NewLine;
  if HasConfig then
    Result := Result + 'DICOM settings:' + NewLine + Space + 'as they are in config.json' + NewLine + NewLine
  else if PacsHostEdit.Text = '' then
    Result := Result + 'DICOM settings:' + NewLine + Space + 'later' + NewLine + NewLine
  else
    Result := Result + 'DICOM settings:' + NewLine +
      Space + AetEdit.Text + ' receives on port ' + PortEdit.Text + NewLine +
      Space + 'and forwards to ' + PacsAetEdit.Text + ' at ' + PacsHostEdit.Text + ', port ' + PacsPortEdit.Text +
      NewLine + NewLine;
  Result := Result + MemoTasksInfo;
end;

// ---------------------------------------------------------------- installing

function PrepareToInstall(var NeedsRestart: Boolean): String;
var
  State: Cardinal;
begin
  State := ServiceState(False);
  WasThere := State <> NOT_THERE;
  // One that waits to be restarted, or is just starting, is one that somebody wants to run.
  WasRunning := WasThere and (State <> SERVICE_STOPPED);
  if WasRunning then
  begin
    WizardForm.PreparingLabel.Caption := 'Stopping the service. Images on their way are received to the end...';
    WizardForm.PreparingLabel.Visible := True;
    WizardForm.PreparingLabel.Update;
    OwesStart := True;
    Result := StopService;
  end;
  if Result = '' then Result := FilesInUse;
end;

// Values for `setup` as its options: those of the page, or, for a configuration that is there, those given to Setup.
function Values: String;
begin
  if HasConfig then
    Result := Option('--aet', Given('AET')) + Option('--port', Given('PORT')) +
      Option('--pacs-host', Given('PACSHOST')) + Option('--pacs-port', Given('PACSPORT')) +
      Option('--pacs-aet', Given('PACSAET'))
  else
    Result := Option('--aet', AetEdit.Text) + Option('--port', PortEdit.Text) +
      Option('--pacs-host', PacsHostEdit.Text) + Option('--pacs-port', PacsPortEdit.Text) +
      Option('--pacs-aet', PacsAetEdit.Text);
end;

// These go through cmd.exe, which reads quotes and percent signs in its own way. They only save typing: such a value is
// typed once more.
function WizardValues(Unused: String): String;
begin
  Result := Values;
  if (Pos('\"', Result) > 0) or (Pos('%', Result) > 0) then Result := '';
end;

procedure Configure;
var
  Output: String;
begin
  if not HasConfig and (PacsHostEdit.Text = '') then
    Log('No PACS was named: there is no configuration yet.')
  else if Values <> '' then
  begin
    WizardForm.StatusLabel.Caption := 'Writing the configuration...';
    if RunProgram('setup --defaults --config ' + InQuotes(ConfigFile) + Values, Output) <> 0 then
      Failed(ExitNotConfigured, 'The configuration could not be written.'#13#10#13#10 + Output);
  end;
end;

// Where the status page is by the configuration there is; the usual place where there is none yet.
function PageAddress(Unused: String): String;
var
  Output: String;
begin
  Result := 'http://127.0.0.1:8104/';
  if HasConfig and (RunProgram('page --config ' + InQuotes(ConfigFile), Output) = 0) and (Pos('http', Output) = 1) then
    Result := Output;
end;

procedure RegisterService;
var
  Output: String;
begin
  WizardForm.StatusLabel.Caption := 'Registering the service...';
  if RunProgram('service install --config ' + InQuotes(ConfigFile), Output) <> 0 then
    Failed(ExitNotRegistered, 'The service could not be registered.'#13#10#13#10 + Output);
end;

// The state that the service had before; for a new one in a silent installation, running where it can.
procedure RestoreOrStart;
begin
  if WasThere and not WasRunning then
    Log('The service was stopped, and stays so.')
  else if WasThere and IsDisabled then
    Log('The service is disabled: it is not started.')
  else if WasThere then
    StartService
  else if not WizardSilent then
    Log('The last page offers to start the service.')
  else if IsGiven('NOSTART') then
    Log('/NOSTART: the service is not started.')
  else if not HasConfig then
    Log('There is no configuration: the service is not started.')
  else
    StartService;
  OwesStart := False;
end;

procedure CurStepChanged(CurStep: TSetupStep);
begin
  if CurStep <> ssPostInstall then Exit;
  Configure;
  RegisterService;
  if FirstFailure <> ExitNotRegistered then
  begin
    WizardForm.StatusLabel.Caption := 'Starting the service...';
    RestoreOrStart;
  end;
end;

// An installation that ended early leaves the service as it found it, as far as it can still run.
procedure DeinitializeSetup;
var
  Code: Integer;
begin
  if not OwesStart then Exit;
  Log('Starting the service again, which Setup had stopped.');
  Exec(ExpandConstant('{sys}\sc.exe'), 'start {#Service}', '', SW_HIDE, ewWaitUntilTerminated, Code);
end;

// ---------------------------------------------------------------- the last page

function OfferConfigure(const Ticked: Boolean): Boolean;
begin
  Result := HasConfig <> Ticked;
end;

function OfferStart(const Ticked: Boolean): Boolean;
begin
  Result := (FirstFailure <> ExitNotRegistered) and not (WasThere and (WasRunning or IsDisabled)) and
    ((not WasThere and not IsGiven('NOSTART')) = Ticked);
end;

procedure CurPageChanged(CurPageID: Integer);
begin
  if (CurPageID = wpFinished) and (FirstFailure <> 0) then
    WizardForm.FinishedLabel.Caption := 'The files are installed, but something failed:'#13#10#13#10 + FailureText;
end;

// ---------------------------------------------------------------- shortcuts

// Sets "Run as administrator" in the shortcut that was just made: bit 0x20 of byte 0x15 of its file. Inno Setup has no
// flag for it.
procedure AskForRights(const Shortcut: String);
var
  FileName: String;
  Content: AnsiString;
begin
  FileName := ExpandConstant(Shortcut);
  if not LoadStringFromFile(FileName, Content) or (Length(Content) < 22) then
  begin
    Log('Cannot set "Run as administrator" in ' + FileName);
    Exit;
  end;
  Content[22] := Chr(Ord(Content[22]) or $20);
  if not SaveStringToFile(FileName, Content, False) then Log('Cannot set "Run as administrator" in ' + FileName);
end;

// ---------------------------------------------------------------- uninstalling

// The number behind "total": in the answer of `queue list --json`, -1 where there is none.
function Total(const Which: String): Integer;
var
  Output: String;
  At: Integer;
begin
  Result := -1;
  if RunProgram('queue list --json --limit 1 ' + Which + ' --config ' + InQuotes(ConfigFile), Output) <> 0 then Exit;
  At := Pos('"total":', Output);
  if At = 0 then Exit;
  Output := Trim(Copy(Output, At + Length('"total":'), 20));
  At := 1;
  while (At <= Length(Output)) and (Pos(Output[At], '0123456789') > 0) do At := At + 1;
  Result := StrToIntDef(Copy(Output, 1, At - 1), -1);
end;

function UndeliveredText: String;
var
  Queued, Gone: Integer;
begin
  Queued := Total('--queued');
  Gone := Total('--failed');
  if (Queued < 0) or (Gone < 0) then
    Result := 'It could not be found out whether images there still wait to be delivered.'
  else if Queued + Gone = 0 then
    Result := 'No image there waits to be delivered.'
  else
    Result := 'ATTENTION: ' + IntToStr(Queued) + ' deliveries still wait and ' + IntToStr(Gone) +
      ' have failed. Their images would be lost.';
end;

procedure AskAboutData;
begin
  if UninstallSilent or not DirExists(ExpandConstant('{#Data}')) then Exit;
  DeleteData := MsgBox('Delete the configuration, the logs and all images, too? They are in'#13#10#13#10 +
    ExpandConstant('{#Data}') + #13#10#13#10 + UndeliveredText + #13#10#13#10 +
    'Folders that lie elsewhere are kept in any case. A later installation goes on with what is kept.',
    mbConfirmation, MB_YESNO or MB_DEFBUTTON2) = IDYES;
end;

// Nothing is removed while the service is there: what it needs would be gone.
procedure RemoveService;
var
  Output: String;
begin
  if RunProgram('service uninstall', Output) = 0 then Exit;
  Output := 'The service could not be removed, so nothing was.'#13#10#13#10 + Output;
  Log(Output);
  if not UninstallSilent then MsgBox(Output, mbError, MB_OK);
  Abort;
end;

// A service counts as stopped a moment before its process is gone, and a program that still runs cannot be deleted.
procedure DeletePatiently(const FileName: String);
var
  Tries: Integer;
begin
  for Tries := 1 to 100 do
  begin
    if DeleteFile(FileName) or not FileExists(FileName) then Exit;
    Sleep(100);
  end;
  Log('Still in use after 10 s: ' + FileName);
end;

procedure CurUninstallStepChanged(CurUninstallStep: TUninstallStep);
begin
  if CurUninstallStep = usUninstall then
  begin
    RemoveService;
    AskAboutData;
    DeletePatiently(ExpandConstant('{app}\nssm.exe'));
    DeletePatiently(ExpandConstant('{app}\dicomforwarder.exe'));
  end
  else if (CurUninstallStep = usPostUninstall) and DeleteData then
  begin
    if not DelTree(ExpandConstant('{#Data}'), True, True, True) then
      MsgBox('Some files could not be deleted: see ' + ExpandConstant('{#Data}'), mbError, MB_OK);
  end;
end;
