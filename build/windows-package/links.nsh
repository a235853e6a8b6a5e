# Owns: who opens sip:, sips: and im: links on Windows. Parley is offered, and the user chooses in the settings of Windows.
# Called by: electron-builder's NSIS script, after the files are there and before they are taken away. Calls: the registry,
# of the machine or of the user as the installation is (SHCTX). docs/packaging.md has the same keys for an MSI.
!include LogicLib.nsh

# After "--" nothing is a switch, whatever a link holds.
!define LINK_COMMAND '"$INSTDIR\${APP_EXECUTABLE_FILENAME}" -- "%1"'

!macro forEachScheme ACTION
  !insertmacro ${ACTION} sip
  !insertmacro ${ACTION} sips
  !insertmacro ${ACTION} im
!macroend

!macro writeLinkClass CLASS NAME
  WriteRegStr SHCTX "Software\Classes\${CLASS}" "" "${NAME}"
  WriteRegStr SHCTX "Software\Classes\${CLASS}" "URL Protocol" ""
  WriteRegStr SHCTX "Software\Classes\${CLASS}\DefaultIcon" "" "$INSTDIR\${APP_EXECUTABLE_FILENAME},0"
  WriteRegStr SHCTX "Software\Classes\${CLASS}\shell\open\command" "" `${LINK_COMMAND}`
!macroend

# A scheme that somebody has, on the machine or for the user (HKCR shows both), stays as it is.
!macro offerScheme SCHEME
  WriteRegStr SHCTX "Software\Parley\Capabilities\UrlAssociations" "${SCHEME}" "Parley.Link"
  ClearErrors
  EnumRegKey $0 HKCR "${SCHEME}" 0
  ${If} ${Errors}
    !insertmacro writeLinkClass "${SCHEME}" "URL:${SCHEME}"
  ${EndIf}
!macroend

# Somebody else may have taken it since.
!macro withdrawScheme SCHEME
  ReadRegStr $0 SHCTX "Software\Classes\${SCHEME}\shell\open\command" ""
  ${If} $0 == `${LINK_COMMAND}`
    DeleteRegKey SHCTX "Software\Classes\${SCHEME}"
  ${EndIf}
!macroend

!macro customInstall
  Push $0
  !insertmacro writeLinkClass "Parley.Link" "Parley link"
  WriteRegStr SHCTX "Software\Parley\Capabilities" "ApplicationName" "Parley"
  WriteRegStr SHCTX "Software\Parley\Capabilities" "ApplicationDescription" "${APP_DESCRIPTION}"
  !insertmacro forEachScheme offerScheme
  WriteRegStr SHCTX "Software\RegisteredApplications" "Parley" "Software\Parley\Capabilities"
  # Windows reads associations anew (SHCNE_ASSOCCHANGED).
  System::Call 'shell32::SHChangeNotify(i 0x08000000, i 0, p 0, p 0)'
  ClearErrors
  Pop $0
!macroend

!macro customUnInstall
  Push $0
  !insertmacro forEachScheme withdrawScheme
  DeleteRegValue SHCTX "Software\RegisteredApplications" "Parley"
  DeleteRegKey SHCTX "Software\Parley\Capabilities"
  DeleteRegKey /ifempty SHCTX "Software\Parley"
  DeleteRegKey SHCTX "Software\Classes\Parley.Link"
  ClearErrors
  Pop $0
!macroend
