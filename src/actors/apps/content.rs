//! What an app is made from, as a digest: apps of one spec and one digest are the same app. Files that were edited, or an image
//! that was built anew under its old name, make another: a look at it must not be answered from the one that still runs.

use sha2::{Digest as _, Sha256};

use super::app::Workshop;
use super::error::AppError;
use super::images::CONTEXT_FILES_MAX;
use super::plan::{self, Planned, inside};
use crate::actors::docker::context::{BuildContext, ContextLimits};
use crate::domain::app::{ImageSource, ServicePlan};
use crate::domain::target::AppSpec;

/// Hexadecimal. What cannot be read is part of it as the error that it is: the app itself will fail by it, and say so.
pub(super) async fn digest(spec: &AppSpec, workshop: &Workshop) -> Result<String, AppError> {
    let (wanted, reader) = (spec.clone(), workshop.clone());
    let reading = tokio::task::spawn_blocking(move || {
        let planned = plan::read(&wanted, &reader.roots)?;
        let mut hash = Sha256::new();
        for service in &planned.plan.services {
            hash.update(format!("{service:?}"));
            hash.update(built_from(service, &planned, &reader));
        }
        Ok::<_, AppError>((planned, hash))
    });
    let (planned, mut hash) = reading.await.map_err(|panic| AppError::NotNow(panic.to_string()))??;
    for service in &planned.plan.services {
        if let ImageSource::Image(name) = &service.source
            && let Ok(engine) = workshop.docker.engine().await
            && let Ok(Some(image)) = engine.find_image(name).await
        {
            hash.update(image.id);
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn built_from(service: &ServicePlan, planned: &Planned, workshop: &Workshop) -> Vec<u8> {
    let ImageSource::Build { directory, dockerfile, .. } = &service.source else { return Vec::new() };
    let limits = ContextLimits { bytes: workshop.apps.context_bytes_max, files: CONTEXT_FILES_MAX };
    let directory = match inside(&planned.home.join(directory), &workshop.roots) {
        Ok(directory) => directory,
        Err(error) => return error.to_string().into_bytes(),
    };
    let digest = BuildContext::read(&directory, dockerfile, limits).and_then(|context| context.digest());
    digest.map_or_else(|error| error.to_string().into_bytes(), Vec::from)
}
